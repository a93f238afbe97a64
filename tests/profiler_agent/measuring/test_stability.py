"""Verdicts over samples made by hand."""

import pytest

from profiler_agent.measuring.stability import (
    cores_remark,
    judge_runs,
    judge_slow_device,
    ratio_error,
    waited_share,
)
from shared.protocol.device import Environment
from shared.protocol.measurement import RunSamples


def runs(
    wall_us: list[float], cpu_us: list[float] | None = None, faults: int = 0, offset_us: float = 1.0
) -> RunSamples:
    """Runs a millisecond apart; the anchor's start at offset 0, so right before the others'."""
    count = len(wall_us)
    return RunSamples(
        start_us=tuple(1000.0 * index + offset_us for index in range(count)),
        wall_us=tuple(wall_us),
        cpu_us=tuple(cpu_us or wall_us),
        involuntary_switches=(1,) * count,
        minor_faults=(faults,) * count,
    )


ANCHOR = runs([100.0] * 9, offset_us=0.0)


def test_what_every_run_waits_is_not_held_against_it() -> None:
    on_accelerator = runs([100.0] * 9, cpu_us=[2.0] * 9)
    assert waited_share(on_accelerator) == 0
    assert judge_runs(on_accelerator, None).status == "ok"


def test_most_runs_waiting_for_a_core_are_unstable() -> None:
    pushed_aside = runs([100.0, *[200.0] * 8], cpu_us=[100.0] * 9)
    assert waited_share(pushed_aside) == 0.5
    judgement = judge_runs(pushed_aside, None)
    assert judgement.status == "unstable"
    assert "waits for a core during 50% of its time (limit 33%) and is pushed aside 1.0" in str(
        judgement.reason
    )
    assert str(judge_runs(ANCHOR, pushed_aside).reason).startswith(
        "the anchor's runs: the median run waits"
    )


def test_a_neighbour_that_hits_few_runs_spoils_nothing() -> None:
    assert judge_runs(runs([100.0] * 6 + [900.0] * 3, cpu_us=[100.0] * 9), ANCHOR).status == "ok"


def test_error_of_the_ratio_from_the_median_deviation() -> None:
    spread = runs([80.0, 90.0, 100.0, 110.0, 120.0, 90.0, 110.0, 100.0, 100.0])
    assert ratio_error(spread, ANCHOR) == pytest.approx(1.2533 * 1.4826 * 0.1 / 3)
    assert ratio_error(runs([90.0, 100.0, 110.0]), ANCHOR) == pytest.approx(0.1)
    assert ratio_error(runs([90.0]), ANCHOR) == 0


def test_ratios_that_stay_open_are_unstable() -> None:
    judgement = judge_runs(runs([100.0, 150.0, 60.0]), ANCHOR)
    assert judgement.status == "unstable"
    assert "known to 45% only (limit 20%) after 3 runs" in str(judgement.reason)


def test_page_faults_are_named_with_their_remedy() -> None:
    judgement = judge_runs(runs([1000.0] * 9, faults=49), None)
    assert judgement.status == "unstable"
    assert "49 page faults a millisecond of CPU time (limit 10)" in str(judgement.reason)
    assert "MALLOC_" in str(judgement.reason)
    assert judge_runs(runs([1000.0] * 9, faults=2), None).status == "ok"


def test_other_cores_than_asked_are_remarked() -> None:
    assert cores_remark((), (0, 1)) is None
    assert cores_remark((2, 3), (3,)) is None
    remark = cores_remark((2, 3), (0, 3))
    assert "cores 2,3 were asked for, but runs were also seen on 0" in str(remark)
    judgement = judge_runs(ANCHOR, ANCHOR, remark)
    assert (judgement.status, judgement.reason) == ("ok", remark)


@pytest.mark.parametrize(
    ("temperature_c", "status"), [(None, "throttled"), (45.0, "throttled"), (82.0, "deferred")]
)
def test_a_slow_device_is_throttled_or_hot(temperature_c: float | None, status: str) -> None:
    judgement = judge_slow_device(1.37, 7.5, Environment(temperature_c=temperature_c))
    assert judgement.status == status
    assert "takes 1.37 times its best on this device (limit 1.10), even after pauses of 7.5 s" in str(
        judgement.reason
    )
