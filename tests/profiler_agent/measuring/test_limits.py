"""A lease wastes its own time at worst: memory, files and time end where the agent says."""

import hashlib
from dataclasses import replace
from pathlib import Path

import onnx
import pytest
from onnx import TensorProto, helper

from profiler_agent.agent import AgentCore
from profiler_agent.bounds import Bounds
from shared.protocol.measurement import Artifact, Lease, LeaseItem, Result
from tests.profiler_agent.leases import WORKLOAD, agent_core, odd_lease, real_lease, store_model

IGNORES_LIMITS = "import resource\nresource.setrlimit = lambda *_: None\n"
"""As Android does: the call succeeds and nothing follows."""


@pytest.fixture
def without_limits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let measuring processes start where limits of the system have no effect."""
    folder = tmp_path / "site"
    folder.mkdir()
    (folder / "sitecustomize.py").write_text(IGNORES_LIMITS)
    monkeypatch.setenv("PYTHONPATH", str(folder), prepend=":")


def reason(core: AgentCore, lease: Lease) -> str:
    (result,) = core.run(lease)
    assert result.status == "error"
    return result.reason or ""


@pytest.mark.usefixtures("without_limits")
def test_memory_is_watched_where_the_system_limits_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("profiler_agent.agent._BASE_BYTES", 250_000_000)
    core = agent_core(tmp_path, is_odd=True)
    assert "of memory (limit 0.25 GB)" in reason(core, odd_lease("fat"))
    assert [result.status for result in core.run(odd_lease("fine"))] == ["ok"]


def test_a_file_has_a_size_that_it_does_not_pass(tmp_path: Path) -> None:
    assert "File too large" in reason(agent_core(tmp_path, is_odd=True), odd_lease("long"))


def test_all_files_of_a_lease_have_a_size_and_are_gone_with_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("profiler_agent.measuring.limits.MAX_SCRATCH_BYTES", 8 << 20)
    assert "(limit 0.01 GB)" in reason(agent_core(tmp_path, is_odd=True), odd_lease("wide"))
    assert list((tmp_path / "scratch").iterdir()) == []


def test_no_renewal_makes_a_lease_longer_than_the_agent_allows(tmp_path: Path) -> None:
    core = agent_core(tmp_path, is_odd=True, bounds=Bounds(max_lease_s=0.5))
    assert "longer than the 0.5 s" in reason(core, odd_lease("spin", ttl_s=1e9))


def hostile_model(body: list[onnx.NodeProto], constants: list[onnx.TensorProto]) -> bytes:
    """Return a model with the inputs and outputs of a lease's workload, and something else within."""
    graph = helper.make_graph(
        body,
        "hostile",
        [helper.make_tensor_value_info("images", TensorProto.FLOAT, [1, *WORKLOAD.input_shape])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, [1, 4])],
        constants,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    return bytes(model.SerializeToString())


def huge_tensor() -> bytes:
    """Return a model of some hundred bytes that asks for 64 GB."""
    return hostile_model(
        [
            helper.make_node("ReduceSum", ["images"], ["sum"], keepdims=1),
            helper.make_node("Cast", ["sum"], ["zero"], to=TensorProto.INT64),
            helper.make_node("Mul", ["zero", "nothing"], ["none"]),
            helper.make_node("Reshape", ["none", "one"], ["flat"]),
            helper.make_node("Add", ["flat", "size"], ["shape"]),
            helper.make_node("ConstantOfShape", ["shape"], ["huge"]),
            helper.make_node("ReduceMean", ["huge"], ["mean"], keepdims=1),
            helper.make_node("Expand", ["mean", "two_sizes"], ["logits"]),
        ],
        [
            helper.make_tensor("nothing", TensorProto.INT64, [], [0]),
            helper.make_tensor("one", TensorProto.INT64, [1], [1]),
            helper.make_tensor("size", TensorProto.INT64, [1], [1 << 34]),
            helper.make_tensor("two_sizes", TensorProto.INT64, [2], [1, 4]),
        ],
    )


def endless_loop() -> bytes:
    """Return a model whose loop has 2^62 turns."""
    turn = helper.make_graph(
        [
            helper.make_node("Identity", ["go_on"], ["goes_on"]),
            helper.make_node("Sin", ["before"], ["after"]),
        ],
        "turn",
        [
            helper.make_tensor_value_info("index", TensorProto.INT64, []),
            helper.make_tensor_value_info("go_on", TensorProto.BOOL, []),
            helper.make_tensor_value_info("before", TensorProto.FLOAT, [1, 4]),
        ],
        [
            helper.make_tensor_value_info("goes_on", TensorProto.BOOL, []),
            helper.make_tensor_value_info("after", TensorProto.FLOAT, [1, 4]),
        ],
    )
    return hostile_model(
        [
            helper.make_node("ReduceMean", ["images"], ["mean"], keepdims=0),
            helper.make_node("Expand", ["mean", "two_sizes"], ["start"]),
            helper.make_node("Loop", ["turns", "yes", "start"], ["logits"], body=turn),
        ],
        [
            helper.make_tensor("turns", TensorProto.INT64, [], [1 << 62]),
            helper.make_tensor("yes", TensorProto.BOOL, [], [True]),
            helper.make_tensor("two_sizes", TensorProto.INT64, [2], [1, 4]),
        ],
    )


def reader_of(path: str) -> bytes:
    """Return a model whose weights lie in another file."""
    weights = onnx.TensorProto(
        name="weights", data_type=TensorProto.FLOAT, dims=[4], data_location=TensorProto.EXTERNAL
    )
    for key, value in (("location", path), ("offset", "0"), ("length", "16")):
        weights.external_data.add(key=key, value=value)
    return hostile_model(
        [
            helper.make_node("ReduceMean", ["images"], ["mean"], keepdims=0),
            helper.make_node("Add", ["mean", "weights"], ["sum"]),
            helper.make_node("Reshape", ["sum", "two_sizes"], ["logits"]),
        ],
        [weights, helper.make_tensor("two_sizes", TensorProto.INT64, [2], [1, 4])],
    )


def measured(core: AgentCore, model: bytes) -> Result:
    """Return what a lease of one model file gives."""
    file = Artifact(hashlib.sha256(model).hexdigest(), len(model))
    with core.artifacts.writing(file.sha256, file.size_bytes) as writer:
        writer.write(model)
    (result,) = core.run(replace(real_lease("a"), items=(LeaseItem("a", WORKLOAD, file),)))
    return result


def test_a_model_of_huge_tensors_fails_alone(tmp_path: Path) -> None:
    core = agent_core(tmp_path)
    result = measured(core, huge_tensor())
    assert result.status == "error"
    assert "allocate" in (result.reason or "") or "bad_alloc" in (result.reason or "")
    store_model(core)
    lease = real_lease("b")
    lease = replace(lease, policy=replace(lease.policy, accept_noise=True))  # however busy this machine is
    assert [other.status for other in core.run(lease)] == ["ok"]


@pytest.mark.parametrize("place", ["{folder}/secret", "../secret"])
def test_a_model_reads_no_file_of_the_device(tmp_path: Path, place: str) -> None:
    (tmp_path / "secret").write_bytes(b"x" * 16)
    result = measured(agent_core(tmp_path), reader_of(place.format(folder=tmp_path)))
    assert result.status == "error"
    assert "External data path" in (result.reason or "")


def test_a_runtime_leaves_nothing_at_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.delenv("ORT_DISABLE_TELEMETRY")  # what this process says; the measuring one says it itself
    core = agent_core(tmp_path)
    store_model(core)
    lease = real_lease("a")
    (result,) = core.run(replace(lease, policy=replace(lease.policy, accept_noise=True)))
    assert result.status == "ok", result.reason
    assert list(home.iterdir()) == []


def test_a_model_that_never_ends_is_ended(tmp_path: Path) -> None:
    result = measured(agent_core(tmp_path, bounds=Bounds(max_lease_s=5.0)), endless_loop())
    assert result.status == "error"
    assert "longer than the 5 s" in (result.reason or "")
