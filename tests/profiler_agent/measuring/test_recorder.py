"""How often a network runs untimed before its timed runs."""

import pytest

from profiler_agent.measuring.recorder import warm_caches
from profiler_agent.runtimes.base import Clock


class Clockwork:
    """A model whose runs turn a clock on."""

    def __init__(self, run_ms: float) -> None:
        self.run_ns, self.now_ns, self.num_runs = int(run_ms * 1e6), 0, 0

    def run(self) -> None:
        self.now_ns += self.run_ns
        self.num_runs += 1

    def run_profiled(self) -> None:
        self.run()

    def node_samples(self) -> tuple[()]:
        return ()


@pytest.mark.parametrize(
    ("run_ms", "num_runs"), [(0.5, 12), (2.5, 3), (4.0, 2), (5.9, 2), (7.0, 2), (15.0, 2), (25.0, 1)]
)
def test_networks_of_like_size_are_equally_warm(run_ms: float, num_runs: int) -> None:
    """6 ms of runs and two of them, but one is enough where it takes 20 ms."""
    model = Clockwork(run_ms)
    warm_caches(model, Clock(wall_ns=lambda: model.now_ns))
    assert model.num_runs == num_runs
