"""The inference runtimes of this device: each a file of its name behind one protocol."""

import sys
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version

from profiler_agent.runtimes.base import Runtime, RuntimeUnavailableError
from shared.protocol.device import RuntimeInfo
from shared.runtimes import RUNTIMES

HOW_TO_INSTALL_ONE = f"install one: {sys.executable} -m pip install onnxruntime numpy"
"""For a device without a runtime."""


def load_runtime(name: str) -> Runtime:
    """Return the runtime of this name: what its file calls ``RUNTIME``.

    Raises:
        RuntimeUnavailableError: unknown here, or not installed; the message says what to install.
    """
    if name not in RUNTIMES:
        raise RuntimeUnavailableError(
            f"this agent has no runtime {name!r}; it can use {', '.join(RUNTIMES)}"
        )
    try:
        runtime: Runtime = import_module(f"profiler_agent.runtimes.{name}").RUNTIME()
    except ImportError as error:
        raise RuntimeUnavailableError(
            f"runtime {name!r} cannot be loaded ({error}); install it for {sys.executable}: "
            f"{RUNTIMES[name].install_hint}"
        ) from error
    return runtime


def available_runtimes() -> tuple[RuntimeInfo, ...]:
    """Return the runtimes that are installed, without loading any of them."""
    found = []
    for known in RUNTIMES.values():
        try:
            found.append(RuntimeInfo(known.name, version(known.package), known.dtypes))
        except PackageNotFoundError:
            continue
    return tuple(found)
