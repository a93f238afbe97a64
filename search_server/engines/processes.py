"""Processes: one that ends with the one that started it, and how one is ended."""

import ctypes
import os
import signal
import subprocess
import sys

_PR_SET_PDEATHSIG = 1
"""From ``linux/prctl.h``."""


def end_with_parent(parent_pid: int) -> None:
    """Have Linux kill this process as soon as the thread that started it is gone.

    Elsewhere the process has to compare ``os.getppid()`` now and then.

    Raises:
        SystemExit: the parent is gone already.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL))
    if os.getppid() != parent_pid:
        raise SystemExit(f"process {parent_pid}, which started this one, has ended")


def end_process(process: "subprocess.Popen[bytes]", grace_s: float) -> None:
    """Ask a process to stop, and kill it if it does not in this time."""
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(grace_s)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
