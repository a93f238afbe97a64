"""Models on a served server, and measurements of them that are known."""

from dataclasses import replace
from datetime import UTC, datetime

from search_server.db.models import DeviceRow
from search_server.jobs.registry import Submission, create_job, finish_job
from search_server.profiling.own_models import store_model_latency
from search_server.resources.models import Model, ModelLatency
from shared.protocol.device import Conditions
from shared.protocol.measurement import OWN_FILES_PROTOCOL
from tests.client.served import Served
from tests.own_models.files import create_for, onnx_bytes
from tests.profiling.test_conclude_model import conclude, window

CONDITIONS = Conditions(runtime="onnxruntime")


def known_latency(factor: float = 1.0, measured_at: str = "2026-11-28T10:00:00+00:00") -> ModelLatency:
    """Return 80 us: Conv takes 48 in two nodes, Add 32 in one; all times so many times as long."""
    latency = conclude(window("lease"))
    assert isinstance(latency, ModelLatency)
    return replace(
        latency,
        latency_us=factor * latency.latency_us,
        low_us=factor * latency.low_us,
        high_us=factor * latency.high_us,
        measured_at=measured_at,
        nodes=tuple(replace(node, latency_us=factor * node.latency_us) for node in latency.nodes),
        operators=tuple(replace(each, latency_us=factor * each.latency_us) for each in latency.operators),
    )


def add_model(served: Served, name: str) -> Model:
    """Have the server keep a small ONNX file under a name; each name has a file of its own."""
    content = onnx_bytes(producer_name=name)
    create = create_for(content, name)
    with served.client() as client:
        client.send_model_part(create.sha256, 0, content)
        return client.add_model(create)


def enrol_for_models(served: Served, name: str = "bench") -> str:
    """Enrol a device whose agent runs model files of one's own; its id."""
    device_id = served.enrol(name).device_id
    with served.database.transaction() as session:
        row = session.get_one(DeviceRow, device_id)
        row.facts = {**row.facts, "protocol_max": OWN_FILES_PROTOCOL}
    return device_id


def store_measurement(served: Served, model: Model, device_id: str, latency: ModelLatency) -> str:
    """Store what a device would have found of a model; the job's id."""
    with served.database.transaction() as session:
        device = session.get_one(DeviceRow, device_id)
        request = {"model_id": model.model_id}
        now = datetime.now(UTC)
        job = create_job(session, Submission(None), "model", device, "fbnet-tiny", CONDITIONS, request, now)
        store_model_latency(session, job, latency)
        finish_job(session, job.job_id, now)
        return job.job_id
