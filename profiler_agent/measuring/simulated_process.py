"""The measuring process of an agent that only simulates.

Started as ``python -m profiler_agent.measuring.simulated_process DEVICE RUNTIME``. A process of its own, so
that no real agent has the simulated runtime within its reach.
"""

import os
import sys

from profiler_agent.measuring.process import measure_order
from profiler_agent.runtimes.base import Runtime, RuntimeUnavailableError
from profiler_agent.runtimes.simulated import SimulatedRuntime


def simulating_command(device: str) -> tuple[str, ...]:
    """Return program and arguments that simulate a device, for :class:`profiler_agent.agent.AgentCore`."""
    return (sys.executable, "-m", "profiler_agent.measuring.simulated_process", device)


def simulate_order(device: str, runtime_name: str) -> None:
    """Answer an order with a device's simulated times."""

    def load(name: str) -> Runtime:
        if name != SimulatedRuntime.name:
            raise RuntimeUnavailableError(f"this agent only simulates, it has no runtime {name!r}")
        return SimulatedRuntime(device)

    measure_order(runtime_name, load)


if __name__ == "__main__":
    simulate_order(sys.argv[1], sys.argv[2])
    os._exit(0)
