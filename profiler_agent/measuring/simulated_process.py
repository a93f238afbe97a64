"""The measuring process of an agent that only simulates a device.

The agent starts it as ``python -m profiler_agent.measuring.simulated_process DEVICE ORDER_FILE``. It has a
module of its own, so that an agent that measures cannot load the simulated runtime by mistake.
"""

import os
import sys
from pathlib import Path

from profiler_agent.measuring.process import measure_order
from profiler_agent.runtimes.base import Runtime, RuntimeUnavailableError
from profiler_agent.runtimes.simulated import SimulatedRuntime


def simulating_command(device: str) -> tuple[str, ...]:
    """Return program and arguments that simulate a device, for :class:`profiler_agent.agent.AgentCore`."""
    return (sys.executable, "-m", "profiler_agent.measuring.simulated_process", device)


def simulate_order(device: str, order_path: Path) -> None:
    """Answer an order with a device's simulated times."""

    def load(name: str) -> Runtime:
        if name != SimulatedRuntime.name:
            raise RuntimeUnavailableError(f"this agent only simulates, it has no runtime {name!r}")
        return SimulatedRuntime(device)

    measure_order(order_path, load)


if __name__ == "__main__":
    simulate_order(sys.argv[1], Path(sys.argv[2]))
    os._exit(0)
