"""The inference runtimes of this device: one file each behind one protocol."""

from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version

from profiler_agent.runtimes.base import Runtime, RuntimeUnavailableError
from shared.device import RuntimeInfo


def _onnxruntime() -> Runtime:
    from profiler_agent.runtimes.onnxruntime import OnnxRuntime

    return OnnxRuntime()


def _torch() -> Runtime:
    from profiler_agent.runtimes.torch import TorchRuntime

    return TorchRuntime()


_LOADERS: dict[str, Callable[[], Runtime]] = {"onnxruntime": _onnxruntime, "torch": _torch}

_INSTALL_HINTS = {
    "onnxruntime": "pip install 'edgenas[onnxruntime]', or on Termux: pkg install python-onnxruntime",
    "torch": "pip install torch, or on Termux: pkg install python-torch",
}


def load_runtime(name: str) -> Runtime:
    """Return the runtime of this name.

    Raises:
        RuntimeUnavailableError: unknown here, or not installed; the message says what to install.
    """
    if name not in _LOADERS:
        raise RuntimeUnavailableError(
            f"this agent has no runtime {name!r}; it can use {', '.join(_LOADERS)}"
        )
    try:
        return _LOADERS[name]()
    except ImportError as error:
        raise RuntimeUnavailableError(
            f"runtime {name!r} cannot be loaded ({error}); install it with: {_INSTALL_HINTS[name]}"
        ) from error


def available_runtimes() -> tuple[RuntimeInfo, ...]:
    """Return the runtimes that are installed, without loading any of them."""
    found = []
    for name in _LOADERS:
        try:
            found.append(RuntimeInfo(name, version(name)))
        except PackageNotFoundError:
            continue
    return tuple(found)
