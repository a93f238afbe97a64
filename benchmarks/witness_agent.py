"""The agent program as it is, which besides writes down each receipt that the server gave it.

    LOAD_RECEIPTS=FILE python -m benchmarks.witness_agent run --runtime simulated --data DIR

Each line of the file names lease, fence, item, and the SHA-256 of the result as it was sent.
"""

import hashlib
import os
from collections.abc import Awaitable, Callable

from profiler_agent.__main__ import main
from shared.protocol.call_server import ServerClient
from shared.protocol.measurement import Result, ResultReceipt
from shared.protocol.wire import to_json

VARIABLE = "LOAD_RECEIPTS"

PostResult = Callable[[ServerClient, Result], Awaitable[ResultReceipt]]


def noting(post_result: PostResult, path: str) -> PostResult:
    """Return a function that posts a result and appends a line to a file once it has the receipt."""

    async def post_and_note(client: ServerClient, result: Result) -> ResultReceipt:
        receipt = await post_result(client, result)
        sha256 = hashlib.sha256(to_json(result).encode()).hexdigest()
        with open(path, "ab", buffering=0) as file:  # one write: whole, or not there, if this is killed
            file.write(f"{result.lease_id} {result.fence} {result.item_id} {sha256}\n".encode())
        return receipt

    return post_and_note


if __name__ == "__main__":
    ServerClient.post_result = noting(ServerClient.post_result, os.environ[VARIABLE])  # type: ignore[method-assign,assignment]
    main()
