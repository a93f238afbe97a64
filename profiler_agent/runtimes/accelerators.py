"""What computes the networks of each runtime here: asked of the runtimes, in processes that end.

No library of a runtime stays in the agent, and one that crashes over a driver takes nothing along.
"""

import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace

from shared.protocol.device import RuntimeInfo
from shared.runtimes import RUNTIMES

_TIMEOUT_S = 30.0
_ASK = """import json, sys
from profiler_agent.runtimes import load_runtime
print(json.dumps(load_runtime(sys.argv[1]).accelerators))"""


def with_accelerators(runtimes: Sequence[RuntimeInfo]) -> tuple[RuntimeInfo, ...]:
    """Return runtimes with what computes their networks here, the usual one first.

    A runtime that does not answer has its usual one only.
    """
    asked = {
        runtime.name: subprocess.Popen(
            [sys.executable, "-c", _ASK, runtime.name],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        for runtime in runtimes
        if RUNTIMES[runtime.name].must_be_asked
    }
    answers = {name: _answer(process, RUNTIMES[name].accelerators) for name, process in asked.items()}
    return tuple(
        replace(runtime, accelerators=answers.get(runtime.name, RUNTIMES[runtime.name].accelerators))
        for runtime in runtimes
    )


def _answer(process: "subprocess.Popen[bytes]", possible: tuple[str, ...]) -> tuple[str, ...]:
    try:
        said, _ = process.communicate(timeout=_TIMEOUT_S)
        found = json.loads(said.decode().splitlines()[-1])
    except (subprocess.TimeoutExpired, ValueError, IndexError):
        process.kill()
        process.wait()
        return possible[:1]
    return tuple(name for name in possible if name in found) or possible[:1]
