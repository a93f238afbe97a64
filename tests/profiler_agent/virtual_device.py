"""A device in virtual time, for tests: its clock moves when it rests, warms up or runs a model."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from profiler_agent.measuring.throttling import ThrottlingWatch


@dataclass(slots=True)
class VirtualDevice:
    """Answers the canary with one time after the other, the last one for ever."""

    canary_us: list[float]
    clock_s: float = 100.0
    events: list[str] = field(default_factory=list)

    def now_s(self) -> float:
        return self.clock_s

    def sense_us(self) -> float:
        return self.canary_us.pop(0) if len(self.canary_us) > 1 else self.canary_us[0]

    def rest(self, seconds: float) -> None:
        self.clock_s += seconds
        self.events.append(f"rest {seconds:g}")

    def warm_up(self) -> None:
        self.clock_s += 0.1
        self.events.append("warm up")

    def watch(
        self, reference_us: float | None = None, max_pause_s: float = 8.0, accepts_slow: bool = False
    ) -> ThrottlingWatch:
        return ThrottlingWatch(
            reference_us,
            max_pause_s,
            self.rest,
            self.warm_up,
            self.sense_us,
            self.now_s,
            accepts_slow=accepts_slow,
        )


def device(canary_us: Iterable[float]) -> VirtualDevice:
    return VirtualDevice(list(canary_us))
