"""The folder of one lease's files: gone with the lease, or a while after its agent was killed."""

import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


@contextmanager
def lease_scratch(folder: Path, left_after_s: float) -> Iterator[Path]:
    """Make a folder for a lease, and remove those that killed agents left.

    Args:
        folder: where such folders lie.
        left_after_s: a folder in which nothing was made for so long has no lease any more.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for other in folder.iterdir():
        with suppress(FileNotFoundError):  # its lease has just ended
            if other.stat().st_mtime < time.time() - left_after_s:
                shutil.rmtree(other, ignore_errors=True)
    with tempfile.TemporaryDirectory(prefix="lease-", dir=folder) as scratch:
        yield Path(scratch)
