"""A session of ONNX Runtime on the CPU, under its node profiler if asked for."""

from pathlib import Path

import onnxruntime


def open_session(path: Path, threads: int, profile_prefix: str | None) -> onnxruntime.InferenceSession:
    """Load a model file.

    Args:
        path: of the file.
        threads: that compute one operator.
        profile_prefix: how the profile's file begins; None: no profile.
    """
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    if profile_prefix is not None:
        options.enable_profiling = True
        options.profile_file_prefix = profile_prefix
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
