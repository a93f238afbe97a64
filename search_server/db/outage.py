"""Work that goes on when the database is away: one line in the log at the start, one at the end."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Never

import structlog
from sqlalchemy.exc import SQLAlchemyError

_log = structlog.get_logger()


@dataclass(slots=True)
class Outage:
    """Whether work that is done again and again fails now."""

    work: str
    """Names the work in the log."""
    is_on: bool = False

    @contextmanager
    def passed_over(self) -> Iterator[None]:
        """Run a block; if it fails, log that unless the time before failed too, and go on behind it."""
        try:
            yield
        except SQLAlchemyError as error:
            self._begin(error, trace=None)
        except Exception as error:
            self._begin(error, trace=error)
        else:
            if self.is_on:
                _log.info("works again", work=self.work)
            self.is_on = False

    def _begin(self, error: Exception, trace: Exception | None) -> None:
        if not self.is_on:
            _log.warning("failed; trying again", work=self.work, error=str(error), exc_info=trace)
        self.is_on = True


async def repeat_forever(work: str, step: Callable[[], Awaitable[None]], interval_s: float) -> Never:
    """Do a step again and again, whatever it raises."""
    outage = Outage(work)
    while True:
        with outage.passed_over():
            await step()
        await asyncio.sleep(interval_s)
