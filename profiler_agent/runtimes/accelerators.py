"""What computes the networks of each runtime here: asked of the runtimes, in processes that end.

No library of a runtime stays in the agent, and one that crashes over a driver takes nothing along.
"""

import asyncio
import json
import sys
from collections.abc import Sequence
from dataclasses import replace

from profiler_agent.programs import run_program
from shared.protocol.device import RuntimeInfo
from shared.runtimes import RUNTIMES

_TIMEOUT_S = 30.0
_ASK = """import json, sys
from profiler_agent.runtimes import load_runtime
print(json.dumps(load_runtime(sys.argv[1]).accelerators))"""


async def with_accelerators(runtimes: Sequence[RuntimeInfo]) -> tuple[RuntimeInfo, ...]:
    """Return runtimes with what computes their networks here, the usual one first.

    A runtime that does not answer has its usual one only.
    """
    return tuple(await asyncio.gather(*map(_with_accelerators, runtimes)))


async def _with_accelerators(runtime: RuntimeInfo) -> RuntimeInfo:
    known = RUNTIMES.get(runtime.name)
    if known is None:  # simulated
        return runtime
    possible = known.accelerators
    if known.must_be_asked:
        said = await _ask(runtime.name)
        possible = tuple(name for name in possible if name in said) or possible[:1]
    return replace(runtime, accelerators=possible)


async def _ask(runtime: str) -> Sequence[str]:
    """Return what a runtime says that computes its networks; nothing if it does not answer."""
    try:
        answer = await run_program((sys.executable, "-c", _ASK, runtime), _TIMEOUT_S)
        return [str(name) for name in json.loads(answer.stdout.decode().splitlines()[-1])]
    except (OSError, TimeoutError, ValueError, IndexError):
        return ()
