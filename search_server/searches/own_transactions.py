"""Transactions of a search's process: each is had only while the search is still its worker's."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import structlog
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from search_server.db.failures import is_outage
from search_server.db.session import Database
from search_server.searches.queue import is_own_search
from search_server.searches.search_job import StoppedError

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class OwnTransactions:
    """Call it for a transaction; it waits while the database is away."""

    database: Database
    job_id: str
    worker_id: str
    stop: threading.Event
    """Ends the waiting."""
    retry_s: float = 2.0

    @contextmanager
    def __call__(self) -> Iterator[Session]:
        """Open a session; commit at the end, roll back if the block raises.

        Raises:
            StoppedError: the search has ended, was cancelled or has passed to another worker.
        """
        with self._begun() as session:
            yield session
            session.commit()

    def _begun(self) -> Session:
        is_away = False
        while True:
            session = self.database.sessions()
            try:
                if is_own_search(session, self.job_id, self.worker_id):
                    return session
            except DBAPIError as error:
                session.close()
                if not is_outage(error):
                    raise
                if not is_away:
                    _log.warning("the database does not answer; the search waits", error=str(error))
                is_away = True
                if self.stop.wait(self.retry_s):
                    raise StoppedError from error
            else:
                session.close()
                raise StoppedError
