"""A model's latency and that of its nodes, from results that are known."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from search_server.profiling.conclude_model import MODEL_ID, NO_PROFILE, conclude_model
from search_server.profiling.evidence import Evidence, Failed
from search_server.profiling.plan import ANCHOR_ID
from search_server.resources.models import ModelLatency
from shared.protocol.device import Conditions
from shared.protocol.measurement import Artifact, LeaseItem, ModelInput, NodeSamples, Result, RunSamples

NOW = datetime(2026, 11, 28, tzinfo=UTC)
ITEM = LeaseItem(MODEL_ID, None, Artifact("0" * 64, 9), inputs=(ModelInput("x", (1, 3)),))
NODES = (
    NodeSamples("conv1", "", "Conv", (29.0, 30.0, 31.0), "1x3 -> 1x8"),
    NodeSamples("conv2", "", "Conv", (30.0, 30.0, 30.0)),
    NodeSamples("add", "", "Add", (40.0, 40.0, 900.0)),
)


def runs(wall_us: float) -> RunSamples:
    """Return ten runs of one latency, each in a turn of its own."""
    turns = tuple(range(10))
    starts = tuple(1000.0 * turn for turn in turns)
    return RunSamples(starts, (wall_us,) * 10, (wall_us,) * 10, turns, (0,) * 10, (0,) * 10)


def window(
    lease_id: str, slowdown: float = 1.0, nodes: tuple[NodeSamples, ...] = NODES
) -> tuple[Result, ...]:
    anchor = Result(lease_id, 1, ANCHOR_ID, "ok", runs=runs(200.0 * slowdown), started_at="2026-11-28")
    model = replace(
        anchor, item_id=MODEL_ID, runs=runs(80.0 * slowdown), nodes=nodes, profiled_wall_us=(110.0,)
    )
    return anchor, model


def conclude(*windows: tuple[Result, ...]) -> ModelLatency | Failed:
    leases = tuple((0, each) for each in windows)
    return conclude_model(Evidence("fbnet-tiny", "device", Conditions(), (ITEM,), leases), NOW)


def test_nodes_share_the_latency_as_the_profile_tells() -> None:
    latency = conclude(window("a"), window("b"))
    assert isinstance(latency, ModelLatency)
    assert latency.latency_us == pytest.approx(80)
    assert [node.share for node in latency.nodes] == pytest.approx([0.3, 0.3, 0.4])
    assert [node.latency_us for node in latency.nodes] == pytest.approx([24, 24, 32])
    assert [node.profiled_us for node in latency.nodes] == [30, 30, 40]
    assert [(each.op_type, each.num_nodes) for each in latency.operators] == [("Conv", 2), ("Add", 1)]
    assert latency.profiler_cost == pytest.approx(110 / 80 - 1)
    assert (latency.inputs, latency.nodes[0].shapes, latency.note) == (ITEM.inputs, "1x3 -> 1x8", "")


def test_a_device_that_slows_down_changes_the_anchor_too() -> None:
    latency = conclude(window("a"), window("b", slowdown=1.5), window("c", slowdown=1.5))
    assert isinstance(latency, ModelLatency)
    assert latency.latency_us / latency.anchor_us == pytest.approx(0.4)


def test_without_a_profile_the_whole_is_known() -> None:
    latency = conclude(window("a", nodes=()))
    assert isinstance(latency, ModelLatency)
    assert (latency.nodes, latency.profiled_us, latency.note) == ((), None, NO_PROFILE)


def test_nothing_measured_tells_why() -> None:
    anchor, model = window("a")
    failed = conclude((anchor, replace(model, status="unsupported", reason="no such operator")))
    assert failed == Failed("the model could not be measured: unsupported: no such operator")
