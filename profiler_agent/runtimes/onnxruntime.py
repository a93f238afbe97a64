"""ONNX Runtime on the CPU: IO binding for whole networks, its own node profile for segments.

``session.run`` copies outputs; IO binding to buffers that stay does not. Profiled runs use a session of
their own, so that the profiler's cost never touches a whole-network time.
"""

import json
import math
import tempfile
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnxruntime

from profiler_agent.runtimes.base import UnsupportedWorkloadError
from shared.device import Conditions
from shared.measurement import LeaseItem, NodeSamples

_KERNEL_SUFFIX = "_kernel_time"

_RUNS_PER_PROFILED_RUN = 2
"""The first warms the caches and is dropped."""


class OnnxRuntime:
    """ONNX Runtime with the CPU execution provider."""

    name = "onnxruntime"

    @property
    def version(self) -> str:
        return str(onnxruntime.__version__)

    def load(
        self, item: LeaseItem, conditions: Conditions, artifact_path: Path | None
    ) -> "OnnxRuntimeModel":
        """Load the ONNX file of an item; see :class:`profiler_agent.runtimes.base.Runtime`."""
        if artifact_path is None or (item.artifact and item.artifact.format != "onnx"):
            raise UnsupportedWorkloadError(f"onnxruntime needs an ONNX artifact for item {item.item_id!r}")
        if conditions.dtype != "fp32":
            raise UnsupportedWorkloadError(
                f"onnxruntime runs dtype fp32 here, not {conditions.dtype!r}; ask for fp32"
            )
        return OnnxRuntimeModel(item, conditions, artifact_path)


class OnnxRuntimeModel:
    """One workload in one or, if segments are profiled too, two sessions."""

    def __init__(self, item: LeaseItem, conditions: Conditions, path: Path) -> None:
        shape = (conditions.batch, *item.workload.input_shape)
        self._images = np.random.default_rng(0).random(shape, dtype=np.float32)
        self._logits = np.zeros((conditions.batch, math.prod(item.workload.output_shape)), np.float32)
        self._session = _session(path, conditions.threads, profile_prefix=None)
        self._binding = self._bind(self._session)
        self._profile_folder: tempfile.TemporaryDirectory[str] | None = None
        if item.profile_segments:
            self._profile_folder = tempfile.TemporaryDirectory(prefix="edgenas-profile-")
            prefix = str(Path(self._profile_folder.name) / "node")
            self._profiled_session = _session(path, conditions.threads, prefix)
            self._profiled_binding = self._bind(self._profiled_session)

    def run(self) -> None:
        self._session.run_with_iobinding(self._binding)

    def run_profiled(self) -> None:
        assert self._profile_folder is not None, "the item was loaded without profile_segments"
        for _ in range(_RUNS_PER_PROFILED_RUN):
            self._profiled_session.run_with_iobinding(self._profiled_binding)

    def node_samples(self) -> Sequence[NodeSamples]:
        if self._profile_folder is None:
            return ()
        events = json.loads(Path(self._profiled_session.end_profiling()).read_text())
        self._profile_folder.cleanup()
        self._profile_folder = None
        return nodes_of_profile(events)

    def _bind(self, session: onnxruntime.InferenceSession) -> onnxruntime.IOBinding:
        binding = session.io_binding()
        binding.bind_ortvalue_input("images", onnxruntime.OrtValue.ortvalue_from_numpy(self._images))
        binding.bind_ortvalue_output("logits", onnxruntime.OrtValue.ortvalue_from_numpy(self._logits))
        return binding


def nodes_of_profile(events: Sequence[dict[str, object]]) -> tuple[NodeSamples, ...]:
    """Return the node times of an ONNX Runtime profile, in execution order.

    A node belongs to the segment that its name begins with. A layout reorder, which the runtime adds
    under a name that changes from session to session, belongs to the segment of the node before it and
    is named by its place there.
    """
    names: dict[str, tuple[str, str]] = {}
    op_types: dict[str, str] = {}
    wall_us: dict[str, list[float]] = defaultdict(list)
    num_added: dict[str, int] = defaultdict(int)
    segment = ""
    for event in events:
        node = str(event.get("name", ""))
        if event.get("cat") != "Node" or not node.endswith(_KERNEL_SUFFIX):
            continue
        if node not in names:
            arguments = event.get("args")
            op_types[node] = str(arguments.get("op_name", "")) if isinstance(arguments, dict) else ""
            if "/" in node:
                segment = node.partition("/")[0]
                names[node] = segment, node.removesuffix(_KERNEL_SUFFIX)
            else:
                num_added[segment] += 1
                names[node] = segment, f"{segment}/added{num_added[segment]}/{op_types[node]}"
        wall_us[node].append(float(str(event["dur"])))
    timed = slice(_RUNS_PER_PROFILED_RUN - 1, None, _RUNS_PER_PROFILED_RUN)
    return tuple(
        NodeSamples(name, owner, op_types[node], tuple(wall_us[node][timed]))
        for node, (owner, name) in names.items()
    )


def _session(path: Path, threads: int, profile_prefix: str | None) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    if profile_prefix is not None:
        options.enable_profiling = True
        options.profile_file_prefix = profile_prefix
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
