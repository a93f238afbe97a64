"""One look into the database for all who watch the same job."""

import asyncio
from collections.abc import Callable

from starlette.concurrency import run_in_threadpool

JobLook = tuple[str, bool]
"""What a job is, as JSON, and whether it has ended."""


class SharedLooks:
    """The newest look at each watched job. Used by the event loop's thread alone."""

    def __init__(self) -> None:
        self._looks: dict[str, tuple[float, asyncio.Task[JobLook]]] = {}

    async def newest(self, job_id: str, look: Callable[[], JobLook], max_age_s: float) -> JobLook:
        """Return what a look says that began at most ``max_age_s`` ago; begin one if there is none.

        Raises:
            ServerError: the look itself failed; all who share it hear of that.
        """
        now_s = asyncio.get_running_loop().time()
        kept = self._looks.get(job_id)
        if kept is None or now_s - kept[0] > max_age_s:
            self._forget(now_s - max_age_s)
            kept = self._looks[job_id] = (now_s, asyncio.create_task(run_in_threadpool(look)))
        # One listener that leaves must not end the look of the others.
        return await asyncio.shield(kept[1])

    def _forget(self, before_s: float) -> None:
        """Drop looks that nobody may use any more, so that the jobs of years do not pile up."""
        self._looks = {job: kept for job, kept in self._looks.items() if kept[0] >= before_s}
