"""A session of ONNX Runtime by one execution provider, under its node profiler if asked for."""

from pathlib import Path

import onnxruntime

PROVIDERS = {
    "cpu": "CPUExecutionProvider",
    "xnnpack": "XnnpackExecutionProvider",
    "nnapi": "NnapiExecutionProvider",
    "coreml": "CoreMLExecutionProvider",
    "gpu": "CUDAExecutionProvider",
    "qnn": "QNNExecutionProvider",
}
"""By accelerator."""


def open_session(
    path: Path, threads: int, profile_prefix: str | None, accelerator: str
) -> onnxruntime.InferenceSession:
    """Load a model file.

    Args:
        path: of the file.
        threads: that compute one operator.
        profile_prefix: how the profile's file begins; None: no profile.
        accelerator: what computes; nodes that it has no kernel for run on the CPU.
    """
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    if profile_prefix is not None:
        options.enable_profiling = True
        options.profile_file_prefix = profile_prefix
    providers = [(PROVIDERS[accelerator], _provider_options(accelerator, threads))]
    if accelerator != "cpu":
        providers.append((PROVIDERS["cpu"], {}))
    return onnxruntime.InferenceSession(str(path), options, providers=providers)


def _provider_options(accelerator: str, threads: int) -> dict[str, str]:
    if accelerator == "xnnpack":  # has threads of its own
        return {"intra_op_num_threads": str(threads)}
    return {"backend_path": "libQnnHtp.so"} if accelerator == "qnn" else {}
