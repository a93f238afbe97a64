"""The process of one search: ``python -m search_server.searches.run_search JOB_ID``, started by the worker.

Only here torch is loaded. SIGTERM asks the search to stop at its next step.
"""

import importlib
import signal
import sys
import threading

import structlog

from search_server.clock import utc_now
from search_server.db.session import Database
from search_server.errors import ServerError
from search_server.jobs.registry import fail_job
from search_server.logs import configure_logs
from search_server.settings import Settings

_log = structlog.get_logger()


def main(job_id: str) -> int:
    """Run a search to its end, its failure or its checkpoint; return the exit status."""
    configure_logs()
    settings = Settings()
    database = Database(settings.url)
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    try:
        pipeline = importlib.import_module("search_server.searches.pipeline")
        pipeline.run_search_job(
            job_id,
            database.transaction,
            settings.data,
            stop.is_set,
            settings.tensorboard,
            settings.accelerator,
        )
    except (ServerError, ValueError) as error:
        _log.warning("search failed", job=job_id, error=str(error))
        _fail(database, job_id, str(error))
    except Exception as error:
        _log.exception("search failed", job=job_id)
        _fail(database, job_id, f"{type(error).__name__}: {error}; the worker's log has the details")
        return 1
    finally:
        database.close()
    return 0


def _fail(database: Database, job_id: str, message: str) -> None:
    with database.transaction() as session:
        fail_job(session, job_id, message, utc_now())


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
