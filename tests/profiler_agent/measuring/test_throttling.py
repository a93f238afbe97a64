import pytest

from profiler_agent.measuring.canary import REMEMBERED_S, CanaryMemory, canary_us, usual_us
from shared.protocol.measurement import Result, Status
from tests.profiler_agent.virtual_device import device


def test_a_quiet_device_is_never_paused() -> None:
    quiet = device([37.0, 39.0, 37.5, 40.0])
    watch = quiet.watch(reference_us=37.0)
    for _ in range(4):
        assert watch.wait_until_fast()
        quiet.clock_s += 1.0
    assert (quiet.events, watch.paused_s, watch.gave_up) == ([], 0.0, False)
    assert usual_us(watch.checks_us) == 38.25


def test_between_checks_the_canary_is_left_alone() -> None:
    restless = device([37.0, 80.0])
    watch = restless.watch()
    assert watch.wait_until_fast()
    restless.clock_s += 0.4
    assert watch.wait_until_fast()
    assert restless.canary_us == [80.0]


def test_a_slow_device_rests_and_warms_up_until_it_is_fast_again() -> None:
    hot = device([50.0, 45.0, 38.0])
    watch = hot.watch(reference_us=37.0)
    assert watch.wait_until_fast()
    assert hot.events == ["rest 0.5", "warm up", "rest 1", "warm up"]
    assert watch.paused_s == pytest.approx(1.7)
    assert watch.checks_us == [38.0]


def test_a_device_that_stays_slow_loses_its_lease() -> None:
    hot = device([50.0])
    watch = hot.watch(reference_us=40.0)
    assert not watch.wait_until_fast()
    assert watch.gave_up
    assert watch.slowdown == 1.25
    assert watch.paused_s == pytest.approx(0.5 + 1 + 2 + 4 + 4 * 0.1)


def test_a_slow_device_that_is_accepted_is_measured_without_a_pause() -> None:
    hot = device([50.0, 60.0])
    watch = hot.watch(reference_us=40.0, accepts_slow=True)
    for _ in range(2):
        assert watch.wait_until_fast()
        hot.clock_s += 1.0
    assert (hot.events, watch.paused_s, watch.gave_up) == ([], 0.0, False)
    assert (watch.checks_us, watch.worst_slowdown) == ([50.0, 60.0], 1.5)


def test_without_a_reference_a_lease_is_judged_by_itself() -> None:
    falling = device([37.0, 37.0, 37.0, 45.0])
    watch = falling.watch(max_pause_s=0.0)
    for _ in range(3):
        assert watch.wait_until_fast()
        falling.clock_s += 1.0
    assert not watch.wait_until_fast()


def test_after_time_without_runs_models_warm_up() -> None:
    idle = device([37.0])
    watch = idle.watch()
    watch.warm_up_if_idle()
    watch.note_run(stalled_us=0.0)
    idle.clock_s += 0.15
    watch.warm_up_if_idle()
    assert idle.events == []
    idle.clock_s += 0.1
    watch.warm_up_if_idle()
    assert idle.events == ["warm up"]


def test_a_run_that_was_stopped_in_its_middle_is_a_pause_too() -> None:
    stopped = device([37.0])
    watch = stopped.watch()
    watch.note_run(stalled_us=250_000.0)
    watch.warm_up_if_idle()
    assert stopped.events == ["warm up"]


def result(status: Status, us: float | None) -> Result:
    return Result("lease", 1, "anchor", status, canary_us=us)


def test_the_memory_keeps_the_best_for_an_hour() -> None:
    clock = device([0.0])
    memory = CanaryMemory(clock.now_s)
    assert memory.reference_us("cold") is None
    for us in (40.0, 37.0, 39.0):
        memory.learn("cold", result("ok", us))
    assert memory.reference_us("cold") == 37.0
    assert memory.reference_us("sustained") is None
    clock.clock_s += REMEMBERED_S + 1
    assert memory.reference_us("cold") is None


def test_what_no_pause_brings_back_is_forgotten_unless_it_is_hot() -> None:
    memory = CanaryMemory()
    memory.learn("cold", result("ok", 37.0))
    memory.learn("cold", result("deferred", None))
    assert memory.reference_us("cold") == 37.0
    memory.learn("cold", result("throttled", None))
    assert memory.reference_us("cold") is None


def test_the_canary_takes_some_microseconds() -> None:
    assert canary_us() > 0
