"""The samples of one item: each timed run right after untimed ones, with what the system did meanwhile."""

import resource
from collections.abc import Sequence
from dataclasses import dataclass, field, fields

from profiler_agent.runtimes.base import Clock, LoadedModel
from shared.measurement import RunSamples

_WARM_NS = 3_000_000
"""One run leaves a network of half a millisecond 5 to 20 % slower than it gets; after 2 ms it stays."""

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
    round_index: list[int] = field(default_factory=list)
    involuntary_switches: list[int] = field(default_factory=list)
    minor_faults: list[int] = field(default_factory=list)
    least_wait_us: float = float("inf")

    def run(self, round_index: int, origin_ns: int) -> None:
        model = self.copies[len(self.wall_us) % len(self.copies)]
        clock = self.clock
        warm_caches(model, clock)
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
        self.round_index.append(round_index)
        self.involuntary_switches.append(usage_end.ru_nivcsw - usage.ru_nivcsw)
        self.minor_faults.append(usage_end.ru_minflt - usage.ru_minflt)
        self.least_wait_us = min(self.least_wait_us, max(0.0, self.wall_us[-1] - self.cpu_us[-1]))

    @property
    def stalled_us(self) -> float:
        """How much longer the last run waited for a core than this model ever has to."""
        return self.wall_us[-1] - self.cpu_us[-1] - self.least_wait_us

    def samples(self) -> RunSamples:
        return RunSamples(**{f.name: tuple(getattr(self, f.name)) for f in fields(RunSamples)})


def warm_caches(model: LoadedModel, clock: Clock) -> None:
    """Run a model untimed until it is as fast as when it runs alone."""
    end_ns = clock.wall_ns() + _WARM_NS
    model.run()
    while clock.wall_ns() < end_ns:
        model.run()
