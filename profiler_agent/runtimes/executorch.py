"""ExecuTorch on the CPU (XNNPACK): one method for the network, one a segment for the times of segments.

All methods of a program share one memory, and the model file puts a segment's output where the next one
takes its input. So a profiled run calls the segments' methods one after another, without a copy, and stamps
the time between them; the cost of a call (5 to 6 us) is what the fit takes off. The bindings are those of
ExecuTorch's wheel, loaded past its Python layer, which would bring the whole exporter with it. They are
linked against torch, of which nothing is used but the tensors of inputs.
"""

import time
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch  # before the bindings: they take libtorch from it
from executorch.extension.pybindings import _C as bindings  # noqa: N811

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

_NETWORK = "network"


class ExecutorchRuntime:
    """ExecuTorch with its XNNPACK backend."""

    name = "executorch"
    accelerators = ("xnnpack",)

    @property
    def version(self) -> str:
        return version("executorch")

    def load(
        self, item: LeaseItem, conditions: Conditions, artifact_path: Path | None
    ) -> "ExecutorchModel":
        """Load the program of an item; see :class:`profiler_agent.runtimes.base.Runtime`."""
        path = require_file(self.name, item, artifact_path)
        require_dtype(self.name, conditions)
        required_accelerator(self, item, conditions)
        if bindings._threadpool_get_thread_count() != conditions.threads:
            bindings._unsafe_reset_threadpool(conditions.threads)  # unsafe for models that are loaded
        try:
            return ExecutorchModel(item, path)
        except RuntimeError as error:
            raise UnsupportedWorkloadError(
                f"executorch {self.version} cannot load item {item.item_id!r} ({error}); it must have the "
                f"backend XnnpackBackend, and has {', '.join(bindings._get_registered_backend_names())}"
            ) from error


class ExecutorchModel:
    """One workload; its input is zeros, since no time depends on it."""

    def __init__(self, item: LeaseItem, path: Path) -> None:
        self._program = bindings._load_program(str(path))
        self._network = self._method(_NETWORK)
        self._chain = [
            (segment.name, self._method(segment.name))
            for segment in (item.network.segments if item.profile_segments else ())
            if segment.operators
        ]
        self._times = SegmentTimes()

    def run(self) -> None:
        self._network.execute()

    def run_profiled(self) -> None:
        self._run_chain()  # warms the caches
        stamps_ns = self._run_chain()
        self._times.add_run([name for name, _ in self._chain], stamps_ns)

    def node_samples(self) -> Sequence[NodeSamples]:
        return self._times.nodes()

    def _method(self, name: str) -> Any:
        """Load a method and give it its input once: it stays in the program's memory."""
        method = self._program.load_method(name)
        shape = method.method_meta().input_tensor_meta(0).sizes()
        method.set_inputs([torch.zeros(shape)])
        return method

    def _run_chain(self) -> list[int]:
        stamps_ns = [time.perf_counter_ns()]
        for _, method in self._chain:
            method.execute()
            stamps_ns.append(time.perf_counter_ns())
        return stamps_ns


RUNTIME: type[Runtime] = ExecutorchRuntime
