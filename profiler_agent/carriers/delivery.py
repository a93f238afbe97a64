"""Sends spooled results to the server; what it will never take is set aside and told in its place."""

import logging
from collections.abc import Sequence

from profiler_agent.carriers.spool import Spool, SpooledResult
from shared.protocol.call_server import RequestRefusedError, ServerClient
from shared.protocol.measurement import Result

_log = logging.getLogger(__name__)

WRONG_TOKEN = 401
"""The server does not know this device's token; results wait until a person has enrolled it again."""

_MAX_BATCH_BYTES = 4 << 20
"""Of results that are sent in one request."""
_REFUSED = "the server refused what was measured"
_LOST_LEASE = (404, 409, 410)
"""The lease is unknown, has passed to another hand, or is over."""


class Delivery:
    """Empties the spool of one agent to one server."""

    def __init__(self, client: ServerClient, spool: Spool) -> None:
        self._client = client
        self._spool = spool

    async def send_all(self) -> None:
        """Send what is spooled, oldest first; stop at the first that cannot be sent now.

        Raises:
            NoAnswerError: the server does not answer; what is left stays in the spool.
            RequestRefusedError: it refuses for now, or does not know this device's token.
        """
        for batch in self._spool.batches(_MAX_BATCH_BYTES):
            if len(batch) == 1 or not await self._send_together(batch):
                for spooled in batch:
                    await self._send(spooled)

    async def _send_together(self, batch: Sequence[SpooledResult]) -> bool:
        """Send results of one lease; False: the server refuses one of them, or is too old for several."""
        try:
            await self._client.post_results([spooled.result for spooled in batch])
        except RequestRefusedError as error:
            if _is_to_be_sent_again(error):
                raise
            return False
        for spooled in batch:
            self._spool.remove(spooled.path)
        return True

    async def _send(self, spooled: SpooledResult) -> None:
        try:
            await self._client.post_result(spooled.result)
        except RequestRefusedError as error:
            if _is_to_be_sent_again(error):
                raise
            if error.status in _LOST_LEASE:
                _log.info("result dropped, its lease is no longer ours: %s", error)
            else:
                self._spool.set_aside(spooled.path, str(error))
                self._spool_refusal(spooled.result, error)
        self._spool.remove(spooled.path)

    def _spool_refusal(self, result: Result, error: RequestRefusedError) -> None:
        """Say so in place of a result that the server will never take, else its lease runs out."""
        reason = f"{_REFUSED}: {error.body.detail}; it is kept on the device"
        if not (result.reason or "").startswith(_REFUSED):
            self._spool.add(Result(result.lease_id, result.fence, result.item_id, "error", reason))


def _is_to_be_sent_again(error: RequestRefusedError) -> bool:
    return error.is_temporary or error.status == WRONG_TOKEN
