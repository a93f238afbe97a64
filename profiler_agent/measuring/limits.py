"""What a lease may take of its device: memory, files, time.

The measuring process sets what the system enforces by itself; the agent watches the rest from outside:
Android takes these settings and does nothing, and a limit on addresses kills runtimes there. macOS tells
nothing about another process's memory without a program of its own, so there it has no limit.
"""

import os
import resource
import sys
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

MAX_FILE_BYTES = 256 << 20
"""Of one file that a runtime writes, such as its profile."""
MAX_SCRATCH_BYTES = 512 << 20
"""Of all files in the lease's own folder, where temporary files go."""

_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True, slots=True)
class Limits:
    """What the process that measures a lease may take."""

    address_space_bytes: int
    resident_bytes: int
    """Of memory that is really there."""
    cpu_s: int
    """Of all its threads; ends a process whose agent is gone, too."""


def limit_this_process(limits: Limits) -> None:
    """Let the system enforce what it can, and let it take this process first where memory runs out."""
    wanted = {
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_FSIZE: MAX_FILE_BYTES,
        resource.RLIMIT_CPU: limits.cpu_s,
    }
    if sys.maxsize >= limits.address_space_bytes and not hasattr(sys, "getandroidapilevel"):
        wanted[resource.RLIMIT_AS] = limits.address_space_bytes  # 32 bits are a limit of their own
    for kind, value in wanted.items():
        with suppress(OSError, ValueError):  # a sandbox may forbid it
            _, hard = resource.getrlimit(kind)
            resource.setrlimit(kind, (value if hard == resource.RLIM_INFINITY else min(value, hard), hard))
    with suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("1000")


def excess(pid: int, limits: Limits, scratch: Path) -> str | None:
    """Return what a process takes too much of, as seen from outside; None where nothing is seen."""
    resident = _resident_bytes(pid)
    if resident is not None and resident > limits.resident_bytes:
        return (
            f"the measuring process took {_gigabytes(resident)} of memory (limit "
            f"{_gigabytes(limits.resident_bytes)}): the models of the lease are too large for this device"
        )
    written = sum(
        _size_bytes(Path(folder) / name) for folder, _, names in os.walk(scratch) for name in names
    )
    if written > MAX_SCRATCH_BYTES:
        return (
            f"the measuring process wrote files of {_gigabytes(written)} (limit "
            f"{_gigabytes(MAX_SCRATCH_BYTES)})"
        )
    return None


def _resident_bytes(pid: int) -> int | None:
    """Return the memory of a process that is really there; None where the system does not tell."""
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * _PAGE_BYTES
    except (OSError, ValueError, IndexError):
        return None


def _size_bytes(path: Path) -> int:
    try:
        return path.lstat().st_blocks * 512  # a sparse file takes no room
    except OSError:  # it is gone again
        return 0


def _gigabytes(count: int) -> str:
    return f"{count / 1e9:.2f} GB"
