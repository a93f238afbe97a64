"""A model of one's own, from a file to a time for each of its nodes: real routes, agent and runtime."""

import re
from pathlib import Path

import pytest
from onnx import TensorProto, helper

from search_server.model_files.tflite_model import tflite_bytes
from search_server.resources.models import ModelLatency, ModelMeasurement, ModelMeasurementCreate
from shared.protocol.device import Conditions
from shared.protocol.measurement import ModelInput
from tests.flow.test_both_apps_joined import joined
from tests.model_files.networks import WORKLOAD
from tests.own_models.files import onnx_bytes, onnx_model, usual_nodes

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


async def measured(
    folder: Path, file_name: str, content: bytes, create: ModelMeasurementCreate
) -> ModelMeasurement:
    path = folder / file_name
    path.write_bytes(content)
    async with joined(folder) as client:
        model = await client.upload_model(path)
        started = await client.start_model_measurement(model.name, create)
        async for event in client.model_measurement_events(model.name, started.job.job_id):
            started = event
        if started.latency is not None:
            (listed,) = [each async for each in client.model_measurements(model.name)]
            assert listed.latency == started.latency.without_nodes()
    return started


def latency_of(done: ModelMeasurement) -> ModelLatency | None:
    """Return what was measured; None if the machine was too busy, which the job must say."""
    assert done.job.kind == "model"
    if done.job.status == "failed":
        assert "could not be measured: " in done.job.message
        assert re.search("unstable|throttled|deferred", done.job.message), done.job.message
        return None
    assert (done.job.status, done.latency is not None) == ("done", True)
    return done.latency


async def test_an_onnx_file_gets_a_time_for_each_node(tmp_path: Path) -> None:
    done = await measured(tmp_path, "small.onnx", onnx_bytes(), ModelMeasurementCreate("here"))
    latency = latency_of(done)
    if latency is None:
        return
    assert 0 < latency.low_us <= latency.latency_us <= latency.high_us
    assert latency.inputs == (ModelInput("x", (1, 3, 16, 16)),)
    assert {node.op_type for node in latency.nodes} >= {"Conv", "GlobalAveragePool", "Flatten"}
    last = next(node for node in latency.nodes if node.node == "last")
    assert last.shapes == "1x8x1x1 -> 1x8"
    assert sum(node.share for node in latency.nodes) == pytest.approx(1)
    assert sum(node.latency_us for node in latency.nodes) == pytest.approx(latency.latency_us)
    assert sum(each.latency_us for each in latency.operators) == pytest.approx(latency.latency_us)


@pytest.mark.slow
async def test_a_tflite_file_is_timed_as_a_whole_and_says_so(tmp_path: Path) -> None:
    pytest.importorskip("ai_edge_litert")
    create = ModelMeasurementCreate("here", Conditions("litert"))
    done = await measured(tmp_path, "net.tflite", tflite_bytes(WORKLOAD, None, 1, "fp32"), create)
    latency = latency_of(done)
    if latency is None:
        return
    assert latency.nodes == ()
    assert "known of the whole only" in latency.note
    assert latency.latency_us > 0


async def test_a_file_that_the_runtime_cannot_run_ends_in_its_words(tmp_path: Path) -> None:
    nodes = usual_nodes()
    nodes[1] = helper.make_node("Reshape", ["a", "odd"], ["b"])  # 8x16x16 numbers make no 7x7
    model = onnx_model(nodes, batch=1)
    model.graph.initializer.append(helper.make_tensor("odd", TensorProto.INT64, [4], [1, 8, 7, 7]))
    content = model.SerializeToString()
    done = await measured(tmp_path, "odd.onnx", content, ModelMeasurementCreate("here"))
    assert done.job.status == "failed"
    assert "onnxruntime cannot run the file" in done.job.message
