"""The one list of inference runtimes and of the model files that they load; agent and server read it.

A new runtime is an entry here and a file of the same name in ``profiler_agent/runtimes/``. If it loads
files that nobody writes yet, ``search_server/model_files/`` gets a writer of its format.
"""

from dataclasses import dataclass
from typing import Literal

ArtifactFormat = Literal["onnx", "tflite", "ncnn", "pte"]
"""``ncnn``: the text of a ``.param`` file. ``pte``: an ExecuTorch program."""
DTYPES = ("fp32", "int8")


@dataclass(frozen=True, slots=True)
class InferenceRuntime:
    """A program that runs networks; each one can be told how many threads it may use."""

    name: str
    package: str
    """The Python distribution that tells its version."""
    model_format: ArtifactFormat | None
    """What it loads; None: the agent builds the network from the workload."""
    segment_times: str
    """How the times of segments come about."""
    install_hint: str
    dtypes: tuple[str, ...] = ("fp32",)
    runs_own_files: bool = False
    """Whether it also runs model files that somebody brought, beside those that are written for it."""
    accelerators: tuple[str, ...] = ("cpu",)
    """What may compute its networks; the first is meant where nothing else is said."""
    tables_by: tuple[str, ...] = ("cpu",)
    """Those of them under which it tells the times of segments, so that tables can be made."""
    must_be_asked: bool = False
    """Which of them are there depends on the build and on the device."""
    max_batch: int | None = None
    """Most images a run; None: any number."""


RUNTIMES = {
    runtime.name: runtime
    for runtime in (
        InferenceRuntime(
            "onnxruntime",
            "onnxruntime",
            "onnx",
            "the runtime's own node profile",
            "pip install onnxruntime numpy, or on Termux: pkg install python-onnxruntime",
            DTYPES,
            runs_own_files=True,
            accelerators=("cpu", "xnnpack", "nnapi", "coreml", "gpu", "qnn"),
            must_be_asked=True,
        ),
        InferenceRuntime(
            "torch",
            "torch",
            None,
            "time-stamps between modules",
            "pip install torch, or on Termux: pkg install python-torch",
        ),
        InferenceRuntime(
            "litert",
            "ai-edge-litert",
            "tflite",
            "each segment is a signature of the model; time-stamps between calls on shared buffers",
            "pip install ai-edge-litert numpy (PyPI has no wheel for Termux)",
            DTYPES,
            runs_own_files=True,
            accelerators=("xnnpack", "cpu"),
            tables_by=("xnnpack", "cpu"),
        ),
        InferenceRuntime(
            "ncnn",
            "ncnn",
            "ncnn",
            "time-stamps at the segments' borders within one run",
            "pip install ncnn numpy (PyPI has no wheel for Termux)",
            accelerators=("cpu", "gpu"),
            must_be_asked=True,
            max_batch=1,
        ),
        InferenceRuntime(
            "executorch",
            "executorch",
            "pte",
            "each segment is a method of the program; time-stamps between calls in shared memory",
            "pip install torch && pip install --no-deps executorch (PyPI has no wheel for Termux)",
            accelerators=("xnnpack",),
            tables_by=("xnnpack",),
        ),
    )
}
"""By name: those that an agent can have."""

RUNTIME_NAMES = (*RUNTIMES, "simulated", "other")
"""``simulated``: the agent draws times and runs nothing. ``other``: a program that this project does not
run; tables imported from it say which."""

ACCELERATORS = ("cpu", "xnnpack", "nnapi", "coreml", "gpu", "qnn")
"""What may compute a network: the runtime's own kernels on the CPU, XNNPACK's, or more than the CPU."""


def usual_accelerator(runtime: str) -> str:
    """Return what computes a runtime's networks where nothing else is said."""
    return RUNTIMES[runtime].accelerators[0] if runtime in RUNTIMES else ACCELERATORS[0]
