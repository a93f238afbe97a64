"""Tells Prometheus what the agent does and how the device is."""

from collections.abc import Iterator

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from profiler_agent.agent import AgentCore
from profiler_agent.facts.environment import read_environment


class AgentCollector(Collector):
    """Reads the figures when they are asked for; what the device does not tell is left out."""

    def __init__(self, core: AgentCore) -> None:
        self._core = core

    def collect(self) -> Iterator[Metric]:
        """Yield the metrics of this moment."""
        results = CounterMetricFamily(
            "edgenas_agent_results", "Results since the start of the agent.", labels=["status"]
        )
        for status, count in self._core.num_results.items():
            results.add_metric([status], count)
        yield results
        progress = self._core.progress
        yield GaugeMetricFamily(
            "edgenas_agent_busy", "1 while a lease is measured.", value=int(progress is not None)
        )
        yield GaugeMetricFamily(
            "edgenas_agent_lease_progress", "Share of the lease that is done, 0..1.", value=progress or 0.0
        )
        environment = read_environment()
        for name, text, value in (
            (
                "edgenas_agent_temperature_celsius",
                "The hottest readable sensor.",
                environment.temperature_c,
            ),
            ("edgenas_agent_battery_percent", "Charge of the battery.", environment.battery_percent),
            ("edgenas_agent_load_1m", "Load average of the last minute.", environment.load_1m),
        ):
            if value is not None:
                yield GaugeMetricFamily(name, text, value=value)


def agent_registry(core: AgentCore) -> CollectorRegistry:
    """Return a registry of its own for an agent."""
    registry = CollectorRegistry()
    registry.register(AgentCollector(core))
    return registry
