"""The networks of each runtime, loaded and run by code that shares nothing with the agent's runtimes."""

import math
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from shared.normalisation import DIVISOR, OFFSET
from shared.runtimes import RUNTIMES
from shared.workload import Workload

Array = NDArray[np.float64]

RUNTIME_DTYPES = {
    name: RUNTIMES[name].dtypes for name in ("onnxruntime", "torch", "litert", "ncnn", "executorch")
}
"""What can be timed without the agent."""

_MALLOC_THAT_KEEPS_MEMORY = {
    "MALLOC_MMAP_THRESHOLD_": "1000000000",
    "MALLOC_TRIM_THRESHOLD_": "8000000000",
    "MALLOC_TOP_PAD_": "256000000",
}
"""glibc hands memory back after each run of eager torch without these; a page fault a page comes of it."""


class PlainModel(Protocol):
    """A network in memory that runs on one thread."""

    def run(self) -> None:
        """Run once and return when the output is there."""

    def output(self) -> Array:
        """Return the numbers of the last run, flat."""


def environment_of(runtime: str) -> dict[str, str]:
    """Return the variables that a process needs before it loads this runtime."""
    return _MALLOC_THAT_KEEPS_MEMORY if runtime == "torch" else {}


def load_model(runtime: str, workload: Workload, path: Path | None) -> PlainModel:
    """Load a network; only the runtime that is asked for is imported.

    Args:
        runtime: one of ``RUNTIME_DTYPES``.
        workload: the network.
        path: its model file; without one torch builds the network from the workload.

    Raises:
        ValueError: the runtime cannot load the file, or gives another number of values than the workload.
    """
    model: PlainModel
    match runtime, path:
        case "torch", Path():
            # Here, so that no other runtime's process loads torch.
            from benchmarks.delivered_torch import DeliveredTorch

            model = DeliveredTorch(path, (255 * _images(workload)).astype(np.uint8))
        case "torch", None:
            model = _Torch(workload)
        case "onnxruntime", Path():
            model = _OnnxRuntime(workload, path)
        case "litert", Path():
            model = _Litert(workload, path)
        case "ncnn", Path():
            model = _Ncnn(workload, path)
        case "executorch", Path():
            model = _Executorch(workload, path)
        case _:
            raise ValueError(
                f"cannot load {path} with runtime {runtime!r}; choose one of {', '.join(RUNTIME_DTYPES)}"
            )
    model.run()
    num_values = math.prod(workload.output_shape)
    if (output := model.output()).shape != (num_values,) or not np.isfinite(output).all():
        raise ValueError(f"{runtime} gives {output.shape} values or infinite ones, expected {num_values}")
    return model


def _images(workload: Workload) -> NDArray[Any]:
    return np.random.default_rng(0).random((1, *workload.input_shape), dtype=np.float32)


class _OnnxRuntime:
    """A session with its input and output bound."""

    def __init__(self, workload: Workload, path: Path) -> None:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 3
        self._session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        self._binding = self._session.io_binding()
        images = _images(workload)
        if self._session.get_inputs()[0].type == "tensor(uint8)":  # of a network; a block takes floats
            images = (255 * images).astype(np.uint8)
        self._binding.bind_cpu_input("images", images)
        # The runtime allocates the output once, at the first run, and keeps it.
        self._binding.bind_output("logits", "cpu")

    def run(self) -> None:
        self._session.run_with_iobinding(self._binding)

    def output(self) -> Array:
        return np.asarray(self._binding.copy_outputs_to_cpu()[0], dtype=float).reshape(-1)


class _Torch:
    """A chain of eager modules without batch norms, channels last; a network normalises bytes first."""

    def __init__(self, workload: Workload) -> None:
        import torch
        from torch.nn.utils.fusion import fuse_conv_bn_eval

        from shared.modules import network_module, to_channels_last

        torch.set_num_threads(1)
        network = network_module(workload, torch.Generator().manual_seed(0)).eval()
        self._network = torch.nn.Sequential()
        for segment in network.segments.values():
            assert isinstance(segment, torch.nn.Sequential)
            for index in reversed(range(len(segment))):
                conv, norm = segment[index - 1], segment[index]
                if isinstance(conv, torch.nn.Conv2d) and isinstance(norm, torch.nn.BatchNorm2d):
                    segment[index - 1] = fuse_conv_bn_eval(conv, norm)
                    del segment[index]
            if len(segment):
                self._network.append(segment)
        to_channels_last(self._network)
        images = torch.from_numpy(_images(workload)).contiguous(memory_format=torch.channels_last)
        self._takes_bytes = workload.input_shape[0] == 3
        self._images = (255 * images).byte() if self._takes_bytes else images
        self._inference_mode = torch.inference_mode
        self._logits = images

    def run(self) -> None:
        with self._inference_mode():
            images = (self._images.float() - OFFSET) / DIVISOR if self._takes_bytes else self._images
            self._logits = self._network(images)

    def output(self) -> Array:
        return self._logits.double().numpy().reshape(-1)


class _Litert:
    """The signature of the whole network on buffers of its own."""

    def __init__(self, workload: Workload, path: Path) -> None:
        from ai_edge_litert.compiled_model import CompiledModel
        from ai_edge_litert.options import CpuOptions, Options

        self._model = CompiledModel.from_file(
            str(path), options=Options(cpu_options=CpuOptions(num_threads=1))
        )
        if not self._model.is_fully_accelerated():
            raise ValueError("XNNPACK cannot run all of a network; choose another dtype")
        self._index = self._model.get_signature_index("network")
        self._inputs = self._model.create_input_buffers(self._index)
        self._outputs = self._model.create_output_buffers(self._index)
        (details,) = self._model.get_output_tensor_details("network").values()
        self._dtype = np.dtype(details["dtype"])  # of the input too
        self._num_values = math.prod(details["shape"])
        images_NHWC = _images(workload).transpose(0, 2, 3, 1)
        self._inputs[0].write(np.ascontiguousarray(100 * images_NHWC, self._dtype))

    def run(self) -> None:
        self._model.run_by_index(self._index, self._inputs, self._outputs)

    def output(self) -> Array:
        values = self._outputs[0].read(self._num_values, self._dtype)
        return np.asarray(values, dtype=float).reshape(-1)


class _Ncnn:
    """A net whose blobs come from pools, as in ncnn's benchmark, in full precision."""

    def __init__(self, workload: Workload, path: Path) -> None:
        import ncnn

        # Attributes go in this order; output and net give their memory back to the pools.
        self._logits: Any = None
        self._net = ncnn.Net()
        self._pools = ncnn.UnlockedPoolAllocator(), ncnn.PoolAllocator()
        options = self._net.opt
        options.num_threads = 1
        options.blob_allocator, options.workspace_allocator = self._pools
        options.use_fp16_packed = options.use_fp16_storage = options.use_fp16_arithmetic = False
        options.use_bf16_packed = options.use_bf16_storage = False
        stored = path.with_suffix(".bin")
        weights = str(stored) if stored.exists() else ncnn.DataReaderFromEmpty()
        if self._net.load_param(str(path)) or self._net.load_model(weights):
            raise ValueError(f"ncnn cannot load {path.name} with its weights")
        images_CHW = _images(workload)[0]  # the first Mat does not keep it alive
        self._images = ncnn.Mat(images_CHW).clone()

    def run(self) -> None:
        self._logits = None  # back to the pool before the next run takes from it
        extractor = self._net.create_extractor()
        extractor.input("images", self._images)
        self._logits = extractor.extract("logits")[1]

    def output(self) -> Array:
        return np.array(self._logits, dtype=float).reshape(-1)


class _Executorch:
    """The method of the whole network, on one thread; its wheel's bindings take tensors from torch."""

    def __init__(self, workload: Workload, path: Path) -> None:
        import torch
        from executorch.extension.pybindings import _C as bindings  # noqa: N811

        if bindings._threadpool_get_thread_count() != 1:
            bindings._unsafe_reset_threadpool(1)
        self._program = bindings._load_program(str(path))  # a method does not keep it alive
        self._method = self._program.load_method("network")
        self._method.set_inputs([torch.from_numpy(_images(workload).transpose(0, 2, 3, 1).copy())])

    def run(self) -> None:
        self._method.execute()

    def output(self) -> Array:
        (logits,) = self._method.get_outputs()
        return np.asarray(logits, dtype=float).reshape(-1)
