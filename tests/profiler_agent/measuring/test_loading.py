"""How models come into memory: in order, by several threads only where a runtime allows."""

import os
import threading
from pathlib import Path

import pytest

from profiler_agent.measuring.loading import load_models
from profiler_agent.runtimes.base import UnsupportedWorkloadError
from shared.protocol.device import Conditions
from shared.protocol.measurement import LeaseItem
from tests.profiler_agent.leases import WORKLOAD
from tests.profiler_agent.measuring.test_lease import CountingModel

ITEMS = [LeaseItem(item_id, WORKLOAD) for item_id in ("anchor", "odd", "net", "anchor")]


class NotingModel(CountingModel):
    """Notes its runs among what else its runtime does."""

    def __init__(self, item_id: str, events: list[str]) -> None:
        super().__init__()
        self._item_id = item_id
        self._events = events

    def run(self) -> None:
        super().run()
        self._events.append(f"run {self._item_id}")


class NotingRuntime:
    """Notes who loads what; loads ``num_at_once`` items at a time or none."""

    name = "simulated"
    version = "1"

    def __init__(self, num_at_once: int) -> None:
        self.loads_in_parallel = num_at_once > 1
        self.models: dict[int, str] = {}
        self.threads: set[int] = set()
        self.events: list[str] = []
        self._together = threading.Barrier(num_at_once, timeout=60)

    def load(self, item: LeaseItem, conditions: Conditions, artifact_path: Path | None) -> CountingModel:
        self._together.wait()
        self.threads.add(threading.get_ident())
        if item.item_id == "odd":
            raise UnsupportedWorkloadError("no such operator")
        self.events.append(f"load {item.item_id}")
        model = NotingModel(item.item_id, self.events)
        self.models[id(model)] = item.item_id
        return model


@pytest.mark.parametrize("num_at_once", [1, 2])
def test_each_item_has_its_own_model_or_the_reason_why_not(
    num_at_once: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1}, raising=False)
    runtime = NotingRuntime(num_at_once)
    anchor, odd, net, second_anchor = load_models(runtime, ITEMS, Conditions("simulated"), {})
    loaded = [runtime.models[id(model)] for model in (anchor, net, second_anchor)]
    assert loaded == ["anchor", "net", "anchor"]
    assert anchor is not second_anchor
    assert isinstance(odd, UnsupportedWorkloadError)
    assert len(runtime.threads) == num_at_once
    assert (threading.get_ident() in runtime.threads) == (num_at_once == 1)


def test_a_model_runs_before_the_next_is_loaded() -> None:
    runtime = NotingRuntime(1)
    load_models(runtime, ITEMS[:3], Conditions("simulated"), {})
    assert runtime.events == ["load anchor", "run anchor", "load net", "run net"]
