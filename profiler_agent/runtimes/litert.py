"""LiteRT on the CPU: one signature for the network, one a segment for the times of segments.

XNNPACK computes unless accelerator ``cpu`` asks for LiteRT's own kernels.

XNNPACK takes the whole graph as one node and Python cannot read a profile of it. So a profiled run calls
the segments' own signatures one after another, each on the output buffer of the one before, without a
copy, and stamps the time between them; the cost of a call (2 to 3 us) is what the fit takes off.
"""

import time
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

import numpy as np
from ai_edge_litert.compiled_model import CompiledModel
from ai_edge_litert.options import CpuKernelMode, CpuOptions, Options

from profiler_agent.runtimes.base import (
    LoadedModel,
    Runtime,
    UnsupportedWorkloadError,
    require_file,
    required_accelerator,
)
from profiler_agent.runtimes.own_litert import OwnLitertModel
from profiler_agent.runtimes.segment_times import SegmentTimes
from shared.protocol.device import Conditions
from shared.protocol.measurement import LeaseItem, NodeSamples

_NETWORK = "network"


class LitertRuntime:
    """LiteRT by XNNPACK or by its own kernels."""

    name = "litert"
    accelerators = ("xnnpack", "cpu")

    @property
    def version(self) -> str:
        return version("ai-edge-litert")

    def load(self, item: LeaseItem, conditions: Conditions, artifact_path: Path | None) -> LoadedModel:
        """Load the tflite file of an item; see :class:`profiler_agent.runtimes.base.Runtime`."""
        path = require_file(self.name, item, artifact_path)
        by_xnnpack = required_accelerator(self, item, conditions) == "xnnpack"
        kernels = CpuKernelMode.DELEGATE if by_xnnpack else CpuKernelMode.BUILTIN
        cpu_options = CpuOptions(num_threads=conditions.threads, kernel_mode=kernels)
        model = _loaded(path, Options(cpu_options=cpu_options))
        if item.workload is None:
            return OwnLitertModel(item, model)
        if by_xnnpack and not model.is_fully_accelerated():
            raise UnsupportedWorkloadError(
                f"XNNPACK cannot run all of item {item.item_id!r} as {conditions.dtype}; ask for fp32"
            )
        return LitertModel(item, model)


class LitertModel:
    """One workload on zeros: memory as it was allocated may hold numbers that are slow to compute."""

    def __init__(self, item: LeaseItem, model: CompiledModel) -> None:
        self._model = model
        self._network = model.get_signature_index(_NETWORK)
        self._images = model.create_input_buffers(self._network)
        (details,) = model.get_input_tensor_details(_NETWORK).values()
        self._images[0].write(np.zeros(details["shape"], details["dtype"]))
        self._logits = model.create_output_buffers(self._network)
        self._chain = []
        buffers = self._images
        for segment in item.network.segments if item.profile_segments else ():
            if segment.operators:
                index = model.get_signature_index(segment.name)
                outputs = model.create_output_buffers(index)
                self._chain.append((segment.name, index, buffers, outputs))
                buffers = outputs
        self._times = SegmentTimes()

    def run(self) -> None:
        self._model.run_by_index(self._network, self._images, self._logits)

    def run_profiled(self) -> None:
        self._run_chain()  # warms the caches
        stamps_ns = self._run_chain()
        self._times.add_run([name for name, *_ in self._chain], stamps_ns)

    def node_samples(self) -> Sequence[NodeSamples]:
        return self._times.nodes()

    def _run_chain(self) -> list[int]:
        stamps_ns = [time.perf_counter_ns()]
        for _, index, inputs, outputs in self._chain:
            self._model.run_by_index(index, inputs, outputs)
            stamps_ns.append(time.perf_counter_ns())
        return stamps_ns


def _loaded(path: Path, options: Options) -> CompiledModel:
    try:
        return CompiledModel.from_file(str(path), options=options)
    except (RuntimeError, ValueError) as error:
        words = str(error).strip().splitlines()[0]
        raise UnsupportedWorkloadError(f"litert cannot load the file: {words}") from error


RUNTIME: type[Runtime] = LitertRuntime
