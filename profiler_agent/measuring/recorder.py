"""Records the samples of one item: in each turn untimed runs, then timed ones with what the system did."""

import itertools
import resource
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, fields

from profiler_agent.runtimes.base import Clock, LoadedModel
from shared.protocol.measurement import RunSamples

_WARM_NS = 6_000_000
"""One run leaves a network of half a millisecond 5 to 20 % slower than it gets, one of three milliseconds
2 %; after this time they stay."""
_WARM_RUNS = 2
"""Untimed ones at least. On a server whose last cache others use, too, networks of 5 to 12 ms got faster by
15 % from the first run to the second and by 2 to 8 % to the third, the large ones by less: with one untimed
run for these and two for the rest they were 7 % too fast against the anchor."""
_LONG_NS = 20_000_000
"""After so long one untimed run does: a network that takes this long has outgrown any cache."""
_TIMED_NS = 3_000_000
_RUNS_PER_TURN = 3
"""Timed ones, as many as begin within that time. Turns differ more than runs of a turn do, so more turns
tell more than longer ones, except where a run is short beside what it needs to get warm."""

_USAGE_SCOPE = getattr(resource, "RUSAGE_THREAD", resource.RUSAGE_SELF)


@dataclass(slots=True)
class Recorder:
    """The samples of one item while its plain rounds go on."""

    copies: Sequence[LoadedModel]
    """The same model at different places in memory; they take turns."""
    clock: Clock
    start_us: list[float] = field(default_factory=list)
    wall_us: list[float] = field(default_factory=list)
    cpu_us: list[float] = field(default_factory=list)
    turn_index: list[int] = field(default_factory=list)
    involuntary_switches: list[int] = field(default_factory=list)
    minor_faults: list[int] = field(default_factory=list)
    least_wait_us: float = float("inf")
    stalled_us: float = 0.0
    """How much longer a run of the last turn waited for a core than this model ever has to."""
    num_turns: int = 0

    def take_turn(self, turn_index: int, origin_ns: int) -> None:
        """Warm up and record some runs.

        Args:
            turn_index: of all items together.
            origin_ns: the clock's time from which starts are told.
        """
        model = self.copies[self.num_turns % len(self.copies)]
        self.num_turns += 1
        self.stalled_us = 0.0
        warm_caches(model, self.clock)
        for _ in timed_runs(self.clock):
            self._record(model, turn_index, origin_ns)

    def _record(self, model: LoadedModel, turn_index: int, origin_ns: int) -> None:
        clock = self.clock
        usage = resource.getrusage(_USAGE_SCOPE)
        cpu_ns = clock.cpu_ns()
        start_ns = clock.wall_ns()
        model.run()
        end_ns = clock.wall_ns()
        cpu_end_ns = clock.cpu_ns()
        usage_end = resource.getrusage(_USAGE_SCOPE)
        self.start_us.append((start_ns - origin_ns) / 1000)
        self.wall_us.append((end_ns - start_ns) / 1000)
        self.cpu_us.append((cpu_end_ns - cpu_ns) / 1000)
        self.turn_index.append(turn_index)
        self.involuntary_switches.append(usage_end.ru_nivcsw - usage.ru_nivcsw)
        self.minor_faults.append(usage_end.ru_minflt - usage.ru_minflt)
        waited_us = self.wall_us[-1] - self.cpu_us[-1]
        self.least_wait_us = min(self.least_wait_us, max(0.0, waited_us))
        self.stalled_us = max(self.stalled_us, waited_us - self.least_wait_us)

    def samples(self) -> RunSamples:
        return RunSamples(**{f.name: tuple(getattr(self, f.name)) for f in fields(RunSamples)})


def timed_runs(clock: Clock) -> Iterator[int]:
    """Yield a number for each timed run of a turn: one at least, and no more than there is time for."""
    end_ns = clock.wall_ns() + _TIMED_NS
    for index in range(_RUNS_PER_TURN):
        if index and clock.wall_ns() >= end_ns:
            break
        yield index


def warm_caches(
    model: LoadedModel, clock: Clock, warm_ns: int = _WARM_NS, min_runs: int = _WARM_RUNS
) -> None:
    """Run a model untimed until it is as fast as when it runs alone."""
    start_ns = clock.wall_ns()
    for num_runs in itertools.count(1):
        model.run()
        ran_ns = clock.wall_ns() - start_ns
        if ran_ns >= warm_ns and (num_runs >= min_runs or ran_ns >= _LONG_NS):
            break
