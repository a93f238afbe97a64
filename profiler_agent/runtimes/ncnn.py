"""ncnn on the CPU, or on a GPU: weights of zeros, time-stamps at the borders of segments within one run.

ncnn computes a blob when it is asked for and keeps what it has computed, so extracting the segments' last
blobs one after another is one pass through the network; extraction type 1 leaves a blob in the packed
layout in which the next layer takes it. Blobs come from pools that keep their memory, as in ncnn's own
benchmark. All half-precision shortcuts are off: dtype fp32 means fp32.
"""

import time
from collections.abc import Sequence
from pathlib import Path

import ncnn
import numpy as np

from profiler_agent.runtimes.base import (
    Runtime,
    UnsupportedWorkloadError,
    require_dtype,
    require_file,
    required_accelerator,
)
from profiler_agent.runtimes.segment_times import SegmentTimes
from shared.protocol.device import Conditions
from shared.protocol.measurement import LeaseItem, NodeSamples

_HALF_PRECISION = (
    "use_fp16_packed",
    "use_fp16_storage",
    "use_fp16_arithmetic",
    "use_bf16_packed",
    "use_bf16_storage",
)

_AS_IT_IS = 1
"""Extraction type: no conversion of precision or packing."""


class NcnnRuntime:
    """ncnn on the CPU, or on a GPU through Vulkan."""

    name = "ncnn"

    @property
    def accelerators(self) -> tuple[str, ...]:
        return ("cpu", "gpu") if ncnn.get_gpu_count() else ("cpu",)

    @property
    def version(self) -> str:
        return str(ncnn.__version__)

    def load(self, item: LeaseItem, conditions: Conditions, artifact_path: Path | None) -> "NcnnModel":
        """Load the param file of an item; see :class:`profiler_agent.runtimes.base.Runtime`."""
        path = require_file(self.name, item, artifact_path)
        require_dtype(self.name, conditions)
        if conditions.batch != 1:
            raise UnsupportedWorkloadError(f"ncnn runs batch 1, not {conditions.batch}; ask for batch 1")
        on_gpu = False
        if conditions.accelerator:  # only then Vulkan is looked for
            on_gpu = required_accelerator(self, item, conditions) == "gpu"
        return NcnnModel(item, conditions.threads, path, on_gpu)


class NcnnModel:
    """One workload in one net."""

    def __init__(self, item: LeaseItem, threads: int, path: Path, on_gpu: bool) -> None:
        self._net = ncnn.Net()  # before the pools: attributes go in this order, and its memory is theirs
        self._blob_pool = ncnn.UnlockedPoolAllocator()
        self._workspace_pool = ncnn.PoolAllocator()
        options = self._net.opt
        options.num_threads = threads
        options.use_vulkan_compute = on_gpu  # before the model is loaded
        options.blob_allocator = self._blob_pool
        options.workspace_allocator = self._workspace_pool
        for name in _HALF_PRECISION:
            setattr(options, name, False)
        if self._net.load_param(str(path)) or self._net.load_model(ncnn.DataReaderFromEmpty()):
            raise UnsupportedWorkloadError(f"ncnn cannot load the param file of item {item.item_id!r}")
        images = np.random.default_rng(0).random(item.network.input_shape, dtype=np.float32)
        self._images = ncnn.Mat(images).clone()
        self._segments = [segment.name for segment in item.network.segments if segment.operators]
        self._times = SegmentTimes()

    def run(self) -> None:
        extractor = self._net.create_extractor()
        extractor.input("images", self._images)
        extractor.extract("logits")

    def run_profiled(self) -> None:
        extractor = self._net.create_extractor()
        extractor.input("images", self._images)
        stamps_ns = [time.perf_counter_ns()]
        for blob in [*self._segments[:-1], "logits"]:
            extractor.extract(blob, _AS_IT_IS)
            stamps_ns.append(time.perf_counter_ns())
        self._times.add_run(self._segments, stamps_ns)

    def node_samples(self) -> Sequence[NodeSamples]:
        return self._times.nodes()


RUNTIME: type[Runtime] = NcnnRuntime
