"""The loop over real sockets: server, worker and agent as processes, started as the demo starts them."""

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnxruntime
import pytest

from scripts.local_services import local_services, wait_for_device
from search_server.client import SearchClient
from search_server.client.errors import ServerRefusedError
from search_server.resources.found_networks import FoundArchitecture
from search_server.resources.searches import SearchCreate
from shared.architecture import parse_architecture
from shared.search_space import search_space
from tests.latency.estimate.test_fit import fit
from tests.latency.measured_leases import SPACE, results_of_lease

NUM_PROCESSES = 3


def import_table(client: SearchClient, device: str) -> str:
    """Give the device a table that does not depend on how busy this machine is."""
    table = fit(results_of_lease("a") + results_of_lease("b"))
    content = table.to_json().encode()
    return client.import_table(content, "json", device).summary.snapshot


def run_search(client: SearchClient, device: str) -> FoundArchitecture:
    snapshot = import_table(client, device)
    create = SearchCreate(
        device,
        SPACE.name,
        data="digits",
        target_ms=client.table(snapshot).summary.anchor_us / 1000,
        epochs=2,
        warmup_epochs=1,
        train_epochs=1,
        num_samples=1,
        snapshot=snapshot,
        compare_baselines=False,
        deliver="int8",
    )
    search = client.start_search(create)
    for _ in client.search_events(search.job.job_id):
        pass
    search = client.search(search.job.job_id)
    assert search.job.status == "done", search.job.message
    assert search.snapshot == snapshot
    assert len(list(client.search_steps(search.job.job_id))) == 2
    assert search.result is not None
    check_exports(client, search.job.job_id, search.result)
    return search.result


def check_exports(client: SearchClient, job_id: str, result: FoundArchitecture) -> None:
    """Each file is as large as said and was run; the ONNX files were measured and take uint8 images."""
    made = [("onnx", "fp32"), ("onnx", "int8"), ("tflite", "fp32"), ("ncnn", "fp32")]
    assert [(file.format, file.dtype) for file in result.files] == made
    for file in result.files[2:]:  # the only device runs ONNX Runtime
        content = client.export_search(job_id, "tflite" if file.format == "tflite" else "ncnn")
        assert (hashlib.sha256(content).hexdigest(), len(content)) == (file.sha256, file.size_bytes)
        # ncnn computes with half precision where it can: an image or two may change sides.
        assert file.test_accuracy == pytest.approx(result.test_accuracy, abs=0.01)
        assert file.latencies == ()
    for file in result.files[:2]:
        content = client.export_search(job_id, "onnx", "int8" if file.dtype == "int8" else "fp32")
        assert (hashlib.sha256(content).hexdigest(), len(content)) == (file.sha256, file.size_bytes)
        session = onnxruntime.InferenceSession(content)
        logits = session.run(None, {"images": np.zeros((2, *SPACE.input_shape), np.uint8)})[0]
        assert np.asarray(logits).shape == (2, SPACE.num_classes)
        assert file.test_accuracy is not None
        (latency,) = file.latencies
        assert latency.measured_us > 0
    fp32, int8, *_ = result.files
    assert fp32.test_accuracy == result.test_accuracy  # the file answers as the network in torch does
    assert int8.size_bytes < fp32.size_bytes
    assert len(client.export_search(job_id, "torch")) > 4 * result.params
    assert b"def load(" in client.export_search(job_id, "python")
    assert json.loads(client.export_search(job_id, "json"))["result"]["architecture"] == result.architecture


@pytest.mark.slow
def test_a_search_runs_from_table_to_verified_network(tmp_path: Path) -> None:
    with local_services(tmp_path) as (client, _):
        device = wait_for_device(client)
        result = run_search(client, device)
        with pytest.raises(ServerRefusedError, match="unknown search space 'fbnet'"):
            client.start_search(SearchCreate(device, "fbnet", "digits", target_ms=1.0))
    assert processes_that_name(tmp_path) == []
    assert result.measured_us is not None
    assert result.measured_us > 0
    assert result.test_accuracy is not None
    network = parse_architecture(result.architecture, search_space(SPACE.name))
    assert (result.macs, result.params) == (network.workload().macs, network.workload().num_params)


@pytest.mark.slow
def test_an_interrupted_demo_leaves_no_process(tmp_path: Path) -> None:
    demo = subprocess.Popen(
        [sys.executable, "-m", "scripts.demo"],
        env={**os.environ, "EDGENAS_DEMO_DATA": str(tmp_path)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert demo.stderr is not None
    for line in demo.stderr:
        if "waiting for device" in line or "running" in line:
            break
    assert len(processes_that_name(tmp_path)) >= NUM_PROCESSES
    demo.terminate()
    _, rest = demo.communicate(timeout=60)
    assert "goes on from here" in rest
    assert demo.returncode == 130
    assert processes_that_name(tmp_path) == []


def processes_that_name(folder: Path) -> list[str]:
    """Return the command lines of processes that work in a folder."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            command = path.read_bytes().replace(b"\0", b" ").decode()
        except (FileNotFoundError, ProcessLookupError):
            continue
        if str(folder) in command:
            found.append(command)
    return found
