"""The folder of one lease's files: gone with the lease, or with the next one if its agent was killed."""

import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


@contextmanager
def lease_scratch(folder: Path, left_after_s: float) -> Iterator[Path]:
    """Make a folder for a lease, which names this agent's process, and remove those that are left."""
    folder.mkdir(parents=True, exist_ok=True)
    remove_left(folder, left_after_s)
    with tempfile.TemporaryDirectory(prefix=f"lease-{os.getpid()}-", dir=folder) as scratch:
        yield Path(scratch)


def remove_left(folder: Path, left_after_s: float) -> None:
    """Remove the folders of leases that no agent has any more.

    Args:
        folder: where they lie.
        left_after_s: nothing was made in such a folder for so long: the number of its process, which has
            another one by now, says nothing.
    """
    for other in folder.glob("lease-*"):
        with suppress(FileNotFoundError):  # its lease has just ended
            is_old = other.stat().st_mtime < time.time() - left_after_s
            if is_old or not _is_alive(other.name.split("-")[1]):
                shutil.rmtree(other, ignore_errors=True)


def _is_alive(pid: str) -> bool:
    try:
        os.kill(int(pid), 0)
    except (ProcessLookupError, ValueError):
        return False
    except PermissionError:
        pass  # it is another user's
    return True
