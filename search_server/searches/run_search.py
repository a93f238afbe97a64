"""The process of one search, started by the worker: ``python -m ... JOB_ID WORKER_ID WORKER_PID``.

Only here torch is loaded. SIGTERM asks the search to stop at its next step.
"""

import importlib
import os
import signal
import sys
import threading
from contextlib import suppress

import structlog
from sqlalchemy.exc import DBAPIError

from search_server.clock import utc_now
from search_server.db.failures import is_outage
from search_server.db.session import Database
from search_server.engines.choice import choose_engine
from search_server.engines.processes import end_with_parent
from search_server.errors import ServerError
from search_server.jobs.registry import fail_job
from search_server.logs import configure_logs
from search_server.searches.own_transactions import OwnTransactions
from search_server.searches.search_job import StoppedError
from search_server.searches.trackers import Trackers
from search_server.settings import Settings

_log = structlog.get_logger()


def main(job_id: str, worker_id: str, worker_pid: int) -> int:
    """Run a search to its end, its failure or its checkpoint; return the exit status."""
    settings = Settings()
    configure_logs(settings.log_level, settings.log_format)
    structlog.contextvars.bind_contextvars(job=job_id, worker=worker_id)
    end_with_parent(worker_pid)
    database = Database(settings.url)
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    own = OwnTransactions(database, job_id, worker_id, stop)
    try:
        pipeline = importlib.import_module("search_server.searches.pipeline")
        engine = choose_engine(
            settings.engine, settings.processes, settings.ray_address, settings.accelerator
        )
        pipeline.run_search_job(
            job_id,
            own,
            settings.job_store,
            lambda: stop.is_set() or os.getppid() != worker_pid,
            Trackers(settings.tensorboard, settings.mlflow, settings.wandb, settings.data),
            settings.accelerator,
            settings.image_roots,
            settings.teachers,
            engine,
        )
    except StoppedError:
        _log.info("search stopped")
    except (ServerError, ValueError) as error:
        _log.warning("search failed", error=str(error))
        _fail(own, job_id, str(error))
    except Exception as error:
        if isinstance(error, DBAPIError) and is_outage(error):
            _log.warning("the database failed in mid-step; a worker tries again", error=str(error))
            return 1
        _log.exception("search failed")
        _fail(own, job_id, f"{type(error).__name__}: {error}; the worker's log has the details")
        return 1
    finally:
        database.close()
    return 0


def _fail(own: OwnTransactions, job_id: str, message: str) -> None:
    with suppress(StoppedError), own() as session:
        fail_job(session, job_id, message, utc_now())


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2], int(sys.argv[3])))
