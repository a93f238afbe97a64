import pytest

from profiler_agent.selftest.advice import advise, spread_of
from shared.protocol.device import Conditions, Device, Environment
from shared.protocol.measurement import Result, RunSamples

DEVICE = Device("phone", "Linux", "aarch64", "linux-aarch64", num_cores=4)
UNKNOWN = Environment()
GOOD = Result("selftest", 0, "network", "ok", cores_seen=(2,), environment_before=Environment(load_1m=0.1))


def result(before: Environment = UNKNOWN, after: Environment = UNKNOWN) -> Result:
    return Result(
        "selftest",
        0,
        "network",
        "ok",
        runs=RunSamples(involuntary_switches=(1, 0, 2)),
        cores_seen=(0, 2),
        environment_before=before,
        environment_after=after,
    )


def test_a_quiet_device_needs_nothing() -> None:
    assert advise(GOOD, 1.05, DEVICE, Conditions(cores=(2,))) == (True, ())


def test_a_restless_device_is_not_usable() -> None:
    is_usable, advice = advise(GOOD, 1.5, DEVICE, Conditions())
    assert not is_usable
    assert "1.50 times the fastest, the limit is 1.35" in advice[0]


def test_without_samples_the_reason_is_told() -> None:
    failed = Result("selftest", 0, "network", "unsupported", "install it")
    assert advise(failed, None, DEVICE, Conditions()) == (False, ("install it",))
    silent = Result("selftest", 0, "network", "error")
    assert "'error'" in advise(silent, None, DEVICE, Conditions())[1][0]


@pytest.mark.parametrize(
    ("measured", "words"),
    [
        (result(Environment(load_1m=3.0)), "load is 3.0 on 4 cores"),
        (result(Environment(governor="powersave")), "governor is 'powersave'"),
        (result(Environment(battery_percent=12, is_charging=False)), "battery is at 12 %"),
        (result(after=Environment(temperature_c=82.0)), "82 degrees"),
        (result(), "also seen on 0"),
        (result(), "interrupt most runs"),
    ],
)
def test_says_what_to_do(measured: Result, words: str) -> None:
    _, advice = advise(measured, 1.1, DEVICE, Conditions(cores=(2,)))
    assert any(words in sentence for sentence in advice)


def test_spread_is_median_over_minimum() -> None:
    assert spread_of((4.0, 2.0, 3.0)) == 1.5
    assert spread_of(()) is None
