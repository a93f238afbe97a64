"""ONNX Runtime on the CPU: IO binding for whole networks, its own node profile for segments.

``session.run`` copies outputs; IO binding to buffers that stay does not. Profiled runs use a session of
their own, so that the profiler's cost never touches a whole-network time.
"""

import json
import math
import re
import tempfile
from collections import defaultdict
from collections.abc import Mapping, Sequence
from itertools import compress
from pathlib import Path

import numpy as np
import onnxruntime

from profiler_agent.runtimes.base import LoadedModel, Runtime, require_file, required_accelerator
from profiler_agent.runtimes.onnx_session import PROVIDERS, open_session
from profiler_agent.runtimes.own_onnx import OwnOnnxModel
from shared.protocol.device import Conditions
from shared.protocol.measurement import LeaseItem, NodeSamples

_TOKEN = re.compile(r"_token_\d+$")
"""What the runtime hangs on the name of a node that it put in the place of others; counts sessions."""

_KERNEL_SUFFIX = "_kernel_time"


class OnnxRuntime:
    """ONNX Runtime with one of the execution providers of its build."""

    name = "onnxruntime"

    @property
    def accelerators(self) -> tuple[str, ...]:
        built_in = onnxruntime.get_available_providers()
        return tuple(name for name, provider in PROVIDERS.items() if provider in built_in)

    @property
    def version(self) -> str:
        return str(onnxruntime.__version__)

    def load(self, item: LeaseItem, conditions: Conditions, artifact_path: Path | None) -> LoadedModel:
        """Load the ONNX file of an item; see :class:`profiler_agent.runtimes.base.Runtime`."""
        path = require_file(self.name, item, artifact_path)
        accelerator = required_accelerator(self, item, conditions)
        if item.workload is None:
            return OwnOnnxModel(item, conditions, path, accelerator)
        return OnnxRuntimeModel(item, conditions, path, accelerator)


class OnnxRuntimeModel:
    """One workload in a session, which is under the profiler if the item's segments are profiled."""

    def __init__(self, item: LeaseItem, conditions: Conditions, path: Path, accelerator: str) -> None:
        shape = (conditions.batch, *item.network.input_shape)
        self._images = np.random.default_rng(0).random(shape, dtype=np.float32)
        self._logits = np.zeros((conditions.batch, math.prod(item.network.output_shape)), np.float32)
        self._profile_folder: tempfile.TemporaryDirectory[str] | None = None
        prefix = None
        if item.profile_segments:
            self._profile_folder = tempfile.TemporaryDirectory(prefix="edgenas-profile-")
            prefix = str(Path(self._profile_folder.name) / "node")
        self._session = open_session(path, conditions.threads, prefix, accelerator)
        self._binding = self._bind(self._session)
        self._is_timed: list[bool] = []
        """Which runs count, of all that the profile will show."""

    def run(self) -> None:
        self._session.run_with_iobinding(self._binding)
        if self._profile_folder is not None:
            self._is_timed.append(False)

    def run_profiled(self) -> None:
        assert self._profile_folder is not None, "the item was loaded without profile_segments"
        self._session.run_with_iobinding(self._binding)
        self._is_timed.append(True)

    def node_samples(self) -> Sequence[NodeSamples]:
        if self._profile_folder is None:
            return ()
        events = json.loads(Path(self._session.end_profiling()).read_text())
        self._profile_folder.cleanup()
        self._profile_folder = None
        return nodes_of_profile(events, self._is_timed)

    def _bind(self, session: onnxruntime.InferenceSession) -> onnxruntime.IOBinding:
        images = self._images
        if session.get_inputs()[0].type == "tensor(uint8)":  # a network of images normalises them itself
            images = (255 * images).astype(np.uint8)
        binding = session.io_binding()
        binding.bind_ortvalue_input("images", onnxruntime.OrtValue.ortvalue_from_numpy(images))
        binding.bind_ortvalue_output("logits", onnxruntime.OrtValue.ortvalue_from_numpy(self._logits))
        return binding


def nodes_of_profile(
    events: Sequence[dict[str, object]], is_timed: Sequence[bool]
) -> tuple[NodeSamples, ...]:
    """Return the node times of those runs of an ONNX Runtime profile that count, in execution order.

    A node belongs to the segment that its name begins with. A layout reorder, which the runtime adds
    under a name that changes from session to session, belongs to the segment of the node before it, at the
    very beginning to the first segment, and is named by its place there.
    """
    names: dict[str, tuple[str, str]] = {}
    op_types: dict[str, str] = {}
    wall_us: dict[str, list[float]] = defaultdict(list)
    num_added: dict[str, int] = defaultdict(int)
    kernels = [event for event in events if _is_kernel(event)]
    named = (str(event["name"]) for event in kernels if "/" in str(event["name"]))
    segment = next(named, "").partition("/")[0]
    for event in kernels:
        node = str(event["name"])
        if node not in names:
            arguments = event.get("args")
            op_types[node] = str(arguments.get("op_name", "")) if isinstance(arguments, dict) else ""
            if "/" in node:
                segment = node.partition("/")[0]
                names[node] = segment, _TOKEN.sub("", node.removesuffix(_KERNEL_SUFFIX))
            else:
                num_added[segment] += 1
                names[node] = segment, f"{segment}/added{num_added[segment]}/{op_types[node]}"
        wall_us[node].append(float(str(event["dur"])))
    return tuple(
        NodeSamples(name, owner, op_types[node], tuple(compress(wall_us[node], is_timed)))
        for node, (owner, name) in names.items()
    )


def _is_kernel(event: Mapping[str, object]) -> bool:
    return event.get("cat") == "Node" and str(event.get("name", "")).endswith(_KERNEL_SUFFIX)


RUNTIME: type[Runtime] = OnnxRuntime
