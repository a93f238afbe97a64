"""One conformance class for every runtime that this machine has."""

import asyncio
import random
from pathlib import Path

import pytest

from profiler_agent.runtimes import available_runtimes, load_runtime
from profiler_agent.runtimes.accelerators import with_accelerators
from profiler_agent.runtimes.base import (
    LoadedModel,
    Runtime,
    RuntimeUnavailableError,
    UnsupportedWorkloadError,
)
from profiler_agent.runtimes.onnxruntime import nodes_of_profile
from profiler_agent.runtimes.simulated import DEFAULT_DEVICE, SimulatedRuntime
from search_server.model_files.model_file import model_file
from shared.architecture import random_architecture
from shared.operators import Conv2d
from shared.protocol.device import Conditions, RuntimeInfo
from shared.protocol.measurement import LeaseItem
from shared.runtimes import ACCELERATORS, DTYPES, RUNTIME_NAMES, RUNTIMES
from shared.search_space import search_space
from shared.workload import Segment, Workload
from tests.model_files.networks import V3, V4

NETWORK = random_architecture(
    search_space("fbnet-tiny:width=0.25,resolution=16"), random.Random(3)
).workload()
BLOCK = Workload((8, 5, 6), (Segment("block", (Conv2d(8, 4),)),))


@pytest.fixture(params=[name for name in RUNTIME_NAMES if name != "other"])
def runtime(request: pytest.FixtureRequest) -> Runtime:
    if request.param == "simulated":
        return SimulatedRuntime()
    skip_unless_installed(request.param)
    return load_runtime(request.param)


def skip_unless_installed(name: str) -> None:
    if name not in {each.name for each in available_runtimes()}:
        pytest.skip(f"{name} is not installed")


def dtypes_of(runtime: Runtime) -> tuple[str, ...]:
    known = {each.name: each.dtypes for each in available_runtimes()}
    return known.get(runtime.name, ("fp32",))


def load(
    runtime: Runtime, workload: Workload, folder: Path, conditions: Conditions | None = None
) -> LoadedModel:
    conditions = conditions or Conditions(runtime=runtime.name)
    model = model_file(workload, conditions)
    path = folder / "model" if model else None
    if model and path:
        path.write_bytes(model.content)
    item = LeaseItem("item", workload, model.artifact() if model else None, profile_segments=True)
    return runtime.load(item, conditions, path)


class TestEveryRuntime:
    def test_tells_name_and_version(self, runtime: Runtime) -> None:
        known = {each.name: each.version for each in available_runtimes()} | {"simulated": DEFAULT_DEVICE}
        assert known[runtime.name] in runtime.version

    @pytest.mark.parametrize("workload", [NETWORK, BLOCK, V3, V4], ids=["fbnet", "block", "v3", "v4"])
    def test_each_profiled_run_gives_each_node_one_time(
        self, runtime: Runtime, workload: Workload, tmp_path: Path
    ) -> None:
        model = load(runtime, workload, tmp_path)
        model.run()
        for _ in range(3):
            model.run_profiled()
        nodes = model.node_samples()
        assert {len(node.wall_us) for node in nodes} == {3}
        assert {node.segment for node in nodes} == {s.name for s in workload.segments if s.operators}
        assert len({node.name for node in nodes}) == len(nodes)
        assert all(wall_us >= 0 for node in nodes for wall_us in node.wall_us)

    @pytest.mark.parametrize("dtype", DTYPES)
    def test_names_its_nodes_alike_in_every_session(
        self, runtime: Runtime, dtype: str, tmp_path: Path
    ) -> None:
        if dtype not in dtypes_of(runtime):
            pytest.skip(f"{runtime.name} has no {dtype}")
        names = []
        for _ in range(2):
            model = load(runtime, NETWORK, tmp_path, Conditions(runtime=runtime.name, dtype=dtype))
            model.run_profiled()
            names.append([node.name for node in model.node_samples()])
        assert names[0] == names[1]
        assert len(set(names[0])) == len(names[0])

    @pytest.mark.parametrize("dtype", DTYPES)
    def test_runs_the_dtypes_that_it_has_and_refuses_the_others(
        self, runtime: Runtime, dtype: str, tmp_path: Path
    ) -> None:
        conditions = Conditions(runtime=runtime.name, dtype=dtype)
        if dtype in dtypes_of(runtime):
            for workload in (NETWORK, V3, V4):
                model = load(runtime, workload, tmp_path, conditions)
                model.run_profiled()
                assert model.node_samples()
        else:
            with pytest.raises(UnsupportedWorkloadError, match="ask for fp32"):
                load(runtime, NETWORK, tmp_path, conditions)


def test_an_unknown_runtime_is_refused_with_those_that_exist() -> None:
    with pytest.raises(RuntimeUnavailableError, match=r"no runtime 'caffe'; it can use onnxruntime"):
        load_runtime("caffe")


def test_no_real_agent_has_the_simulated_runtime() -> None:
    with pytest.raises(RuntimeUnavailableError, match="no runtime 'simulated'"):
        load_runtime("simulated")
    assert "simulated" not in {runtime.name for runtime in available_runtimes()}


@pytest.mark.parametrize(
    ("name", "what"),
    [
        ("onnxruntime", "onnx"),
        ("litert", "tflite"),
        ("ncnn", "ncnn"),
        ("executorch", "pte"),
    ],
)
def test_a_runtime_that_loads_files_needs_one(name: str, what: str) -> None:
    skip_unless_installed(name)
    with pytest.raises(UnsupportedWorkloadError, match=f"needs a model file of format {what} .* got none"):
        load_runtime(name).load(LeaseItem("item", BLOCK), Conditions(name), None)


def test_onnxruntime_computes_an_int8_model_in_integers(tmp_path: Path) -> None:
    model = load(load_runtime("onnxruntime"), NETWORK, tmp_path, Conditions(dtype="int8"))
    model.run_profiled()
    kinds = {node.op_type for node in model.node_samples()}
    assert {"QLinearConv", "QLinearAdd", "QGemm"} <= kinds
    assert not {"Conv", "Add", "Gemm", "Relu"} & kinds


def event(name: str, op_type: str, us: int) -> dict[str, object]:
    return {"cat": "Node", "name": f"{name}_kernel_time", "dur": us, "args": {"op_name": op_type}}


def test_a_reorder_of_the_input_belongs_to_the_first_segment() -> None:
    run = [event("ReorderInput", "ReorderInput", 2), event("layer01/0/conv2d", "Conv", 9)]
    nodes = nodes_of_profile(run, [True])
    assert [(node.name, node.segment) for node in nodes] == [
        ("layer01/added1/ReorderInput", "layer01"),
        ("layer01/0/conv2d", "layer01"),
    ]


def test_a_reorder_belongs_to_the_segment_before_it_whatever_its_name() -> None:
    run = [
        event("stem/0/conv2d", "Conv", 7),
        event("ReorderOutput_token_7", "ReorderOutput", 3),
        event("ReorderInput", "ReorderInput", 2),
        event("layer01/0/conv2d", "Conv", 9),
    ]
    nodes = nodes_of_profile([*run, {"cat": "Session", "name": "model_run"}, *run], [False, True])
    assert [(node.name, node.segment, node.wall_us) for node in nodes] == [
        ("stem/0/conv2d", "stem", (7.0,)),
        ("stem/added1/ReorderOutput", "stem", (3.0,)),
        ("stem/added2/ReorderInput", "stem", (2.0,)),
        ("layer01/0/conv2d", "layer01", (9.0,)),
    ]


def test_executorch_says_what_it_cannot_load(tmp_path: Path) -> None:
    skip_unless_installed("executorch")
    path = tmp_path / "model"
    path.write_bytes(b"no program")
    with pytest.raises(UnsupportedWorkloadError, match="cannot load item 'item'"):
        load_runtime("executorch").load(LeaseItem("item", BLOCK), Conditions("executorch"), path)


def test_litert_computes_by_xnnpack_or_by_its_own_kernels(tmp_path: Path) -> None:
    skip_unless_installed("litert")
    runtime = load_runtime("litert")
    for accelerator, is_xnnpack in (("", True), ("xnnpack", True), ("cpu", False)):
        conditions = Conditions(runtime="litert", accelerator=accelerator)
        model = load(runtime, NETWORK, tmp_path, conditions)
        model.run()
        model.run_profiled()
        assert {node.segment for node in model.node_samples()} == {
            segment.name for segment in NETWORK.segments if segment.operators
        }
        assert model._model.is_fully_accelerated() is is_xnnpack  # type: ignore[attr-defined]


@pytest.mark.parametrize("name", RUNTIMES)
def test_what_a_runtime_does_not_have_here_is_refused(name: str, tmp_path: Path) -> None:
    skip_unless_installed(name)
    runtime = load_runtime(name)
    missing = next(each for each in ACCELERATORS if each not in runtime.accelerators)
    with pytest.raises(UnsupportedWorkloadError, match=f"computes by .* here, not by '{missing}'"):
        load(runtime, BLOCK, tmp_path, Conditions(runtime=name, accelerator=missing))


def test_runtimes_are_asked_in_processes_of_their_own() -> None:
    found = asyncio.run(with_accelerators(available_runtimes()))
    assert [runtime.name for runtime in found] == [runtime.name for runtime in available_runtimes()]
    for runtime in found:
        assert runtime.accelerators == load_runtime(runtime.name).accelerators


def test_a_runtime_that_cannot_be_asked_has_its_usual_accelerator(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "ncnn.py").write_text("raise SystemExit(7)")  # what a broken installation does
    monkeypatch.setenv("PYTHONPATH", str(tmp_path), prepend=":")
    (found,) = asyncio.run(with_accelerators([RuntimeInfo("ncnn", "1.0")]))
    assert found.accelerators == ("cpu",)
