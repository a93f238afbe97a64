"""The agent program as it is, which besides writes down each receipt that the server gave it.

    LOAD_RECEIPTS=FILE python -m benchmarks.witness_agent run --runtime simulated --data DIR

Each line of the file names lease, fence, item, and the SHA-256 of the result as it was sent.
"""

import hashlib
import os
from collections.abc import Sequence

from profiler_agent.__main__ import main
from shared.protocol.call_server import ServerClient
from shared.protocol.measurement import Result, ResultReceipt
from shared.protocol.wire import to_json

VARIABLE = "LOAD_RECEIPTS"

_post_result = ServerClient.post_result
_post_results = ServerClient.post_results


async def _post_one(client: ServerClient, result: Result) -> ResultReceipt:
    receipt = await _post_result(client, result)
    _note((result,))
    return receipt


async def _post_together(client: ServerClient, results: Sequence[Result]) -> tuple[ResultReceipt, ...]:
    receipts = await _post_results(client, results)
    _note(results)
    return receipts


def _note(results: Sequence[Result]) -> None:
    lines = []
    for result in results:
        sha256 = hashlib.sha256(to_json(result).encode()).hexdigest()
        lines.append(f"{result.lease_id} {result.fence} {result.item_id} {sha256}\n")
    with open(os.environ[VARIABLE], "ab", buffering=0) as file:
        file.write("".join(lines).encode())  # one write: whole, or not there, if this is killed


if __name__ == "__main__":
    ServerClient.post_result = _post_one  # type: ignore[method-assign,assignment]
    ServerClient.post_results = _post_together  # type: ignore[method-assign,assignment]
    main()
