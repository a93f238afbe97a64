"""Runs other programs beside the event loop.

Not by asyncio's own subprocesses: these call ``pidfd_open`` from Python 3.12 on, for which an older Android
kills the caller.
"""

import asyncio
import subprocess
from collections.abc import Sequence
from contextlib import suppress


async def run_program(command: Sequence[str], timeout_s: float) -> "subprocess.CompletedProcess[bytes]":
    """Run a program to its end, and kill it when its time is over or when the caller is cancelled.

    Args:
        command: the program and its arguments.
        timeout_s: how long it may take.

    Raises:
        OSError: it cannot be started.
        TimeoutError: it took longer.
    """
    process = subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    said = asyncio.get_running_loop().run_in_executor(None, process.communicate)
    try:
        async with asyncio.timeout(timeout_s):
            out, err = await asyncio.shield(said)
    finally:
        process.kill()  # does nothing where it has ended
        with suppress(asyncio.CancelledError):
            await said
    return subprocess.CompletedProcess(command, process.returncode, out, err)
