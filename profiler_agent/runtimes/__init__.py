"""The inference runtimes of this device: one file each behind one protocol."""

from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version

from profiler_agent.runtimes.base import Runtime, RuntimeUnavailableError
from shared.protocol.device import RuntimeInfo


@dataclass(frozen=True, slots=True)
class _Known:
    load: Callable[[], Runtime]
    package: str
    """The distribution that tells its version."""
    install_hint: str
    dtypes: tuple[str, ...] = ("fp32",)


def _onnxruntime() -> Runtime:
    from profiler_agent.runtimes.onnxruntime import OnnxRuntime

    return OnnxRuntime()


def _torch() -> Runtime:
    from profiler_agent.runtimes.torch import TorchRuntime

    return TorchRuntime()


def _litert() -> Runtime:
    from profiler_agent.runtimes.litert import LitertRuntime

    return LitertRuntime()


def _ncnn() -> Runtime:
    from profiler_agent.runtimes.ncnn import NcnnRuntime

    return NcnnRuntime()


def _executorch() -> Runtime:
    from profiler_agent.runtimes.executorch import ExecutorchRuntime

    return ExecutorchRuntime()


_KNOWN = {
    "onnxruntime": _Known(
        _onnxruntime,
        "onnxruntime",
        "pip install 'edgenas-agent[onnxruntime]', or on Termux: pkg install python-onnxruntime",
        ("fp32", "int8"),
    ),
    "torch": _Known(_torch, "torch", "pip install torch, or on Termux: pkg install python-torch"),
    "litert": _Known(
        _litert,
        "ai-edge-litert",
        "pip install 'edgenas-agent[litert]' (PyPI has no wheel for Termux)",
        ("fp32", "int8"),
    ),
    "ncnn": _Known(_ncnn, "ncnn", "pip install 'edgenas-agent[ncnn]' (PyPI has no wheel for Termux)"),
    "executorch": _Known(
        _executorch,
        "executorch",
        "pip install torch && pip install --no-deps executorch (PyPI has no wheel for Termux)",
    ),
}


def load_runtime(name: str) -> Runtime:
    """Return the runtime of this name.

    Raises:
        RuntimeUnavailableError: unknown here, or not installed; the message says what to install.
    """
    if name not in _KNOWN:
        raise RuntimeUnavailableError(f"this agent has no runtime {name!r}; it can use {', '.join(_KNOWN)}")
    try:
        return _KNOWN[name].load()
    except ImportError as error:
        raise RuntimeUnavailableError(
            f"runtime {name!r} cannot be loaded ({error}); install it with: {_KNOWN[name].install_hint}"
        ) from error


def available_runtimes() -> tuple[RuntimeInfo, ...]:
    """Return the runtimes that are installed, without loading any of them."""
    found = []
    for name, known in _KNOWN.items():
        try:
            found.append(RuntimeInfo(name, version(known.package), known.dtypes))
        except PackageNotFoundError:
            continue
    return tuple(found)
