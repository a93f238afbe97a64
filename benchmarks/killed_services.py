"""Database, server, worker and agents as processes that are killed at any moment and started again.

All carry a variable that marks them and what they start, so that whatever outlives them is found.
"""

import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from benchmarks.load_server import LoadServer, free_port
from benchmarks.witness_agent import VARIABLE as RECEIPTS
from search_server.clock import utc_now
from search_server.db.migrate import migrate_to_head
from search_server.db.session import Database
from search_server.tokens import create_token

TARGETS = ("server", "worker", "agent", "measuring", "search", "database")
DEVICES = ("searched", "profiled", "measured")
SIMULATED = "titan_rtx_64"
"""A quiet device; its times depend on nothing but the seed of a lease."""

MARK = "LOAD_RUN"
_PROGRAMS = {"measuring": "measuring.simulated_process", "search": "searches.run_search"}
_ENDED_WITHIN_S = 20.0
_READY_WITHIN_S = 600.0


@dataclass(slots=True)
class Service:
    """A program that is started again whenever it was killed."""

    command: tuple[str, ...]
    environment: dict[str, str]
    log: Path
    user: str | None = None
    """Who runs it; None: who runs the benchmark."""
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                self.command, env=self.environment, stdout=log, stderr=log, user=self.user
            )

    def end(self, number: signal.Signals) -> None:
        """Send a signal, and wait until the process has ended; one that ignores it is killed."""
        if self.process is not None:
            self.process.send_signal(number)
            try:
                self.process.wait(_ENDED_WITHIN_S)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self.process = None


class KilledDatabase(Protocol):
    """A database that goes away and comes back."""

    @property
    def url(self) -> str:
        """Its address."""

    def away(self, pause_s: float) -> None:
        """Go away for so long, and return when it answers again."""

    def close(self) -> None:
        """End for good."""


@dataclass(frozen=True, slots=True)
class HeldSqlite:
    """SQLite has no process to kill: another program holds its write lock."""

    path: Path

    @property
    def url(self) -> str:
        return f"sqlite:///{self.path}"

    def away(self, pause_s: float) -> None:
        with closing(sqlite3.connect(self.path, timeout=_READY_WITHIN_S, isolation_level=None)) as held:
            held.execute("BEGIN IMMEDIATE")
            time.sleep(pause_s)
            held.execute("ROLLBACK")

    def close(self) -> None:
        """There is nothing to end."""


class KilledPostgres:
    """A PostgreSQL server of our own, from the programs ``initdb`` and ``postgres`` on the PATH."""

    def __init__(self, folder: Path, mark: str) -> None:
        # PostgreSQL does not run as root.
        user = "postgres" if os.geteuid() == 0 else None
        folder.mkdir()
        if user is not None:
            shutil.chown(folder, user)
        environment = {"PATH": os.environ["PATH"], "LC_ALL": "C", MARK: mark}
        data = str(folder / "data")
        making = ["initdb", "--auth=trust", "--username=postgres", "--encoding=UTF8", "-D", data]
        subprocess.run(making, env=environment, user=user, check=True, stdout=subprocess.DEVNULL)
        self._port = free_port()
        self._service = Service(
            ("postgres", "-D", data, "-k", str(folder), "-h", "127.0.0.1", "-p", str(self._port)),
            environment,
            folder.parent / "postgres.log",
            user,
        )
        self._start()

    @property
    def url(self) -> str:
        return f"postgresql://postgres@127.0.0.1:{self._port}/postgres"

    def away(self, pause_s: float) -> None:
        self._service.end(signal.SIGKILL)
        time.sleep(pause_s)
        self._start()

    def close(self) -> None:
        self._service.end(signal.SIGINT)  # its own word for: end now, in good order

    def _start(self) -> None:
        """Start until it answers: at first the processes of the killed one may still hold its memory."""
        database, end_s = Database(self.url), time.monotonic() + _READY_WITHIN_S
        while time.monotonic() < end_s:
            if self._service.process is None or self._service.process.poll() is not None:
                self._service.start()
            with suppress(Exception), database.engine.connect():
                database.close()
                return
            time.sleep(0.2)
        raise RuntimeError(f"PostgreSQL does not answer; see {self._service.log}")


@dataclass(slots=True)
class Laboratory:
    """All processes of one run."""

    folder: Path
    mark: str
    database: KilledDatabase
    server: LoadServer
    worker: Service
    agents: list[Service] = field(default_factory=list)

    @property
    def receipts(self) -> Path:
        """What the agents were told that the server has."""
        return self.folder / "receipts"

    def add_agent(self, name: str) -> None:
        """Enrol a device and start its agent."""
        database = Database(self.database.url)
        with database.transaction() as session:
            token = create_token(session, "enrol", utc_now())
        database.close()
        data = ("--data", str(self.folder / name))
        device = ("--name", name, "--runtime", "simulated", "--simulated-device", SIMULATED)
        environment = {**os.environ, MARK: self.mark, RECEIPTS: str(self.receipts)}
        program = (sys.executable, "-m", "benchmarks.witness_agent")
        subprocess.run(
            [*program, "enrol", self.server.url, *device, *data],
            env={**environment, "EDGENAS_ENROLMENT_TOKEN": token},
            check=True,
            capture_output=True,
        )
        log = self.folder / f"{name}.log"
        self.agents.append(Service((*program, "run", *device, *data), environment, log))
        self.agents[-1].start()

    def kill(self, target: str, pause_s: float, generator: random.Random) -> str:
        """Kill a process, start it again if nobody else does, and say what was done; empty: nothing."""
        if target == "database":
            self.database.away(pause_s)
        elif target == "server":
            self.server.stop(signal.SIGKILL)
            time.sleep(pause_s)
            self.server.start()
        elif target in _PROGRAMS:
            # Not waited for: one that is awaited would always be killed as it starts.
            found = [pid for pid, command in self.processes() if _PROGRAMS[target] in command]
            if not found:
                return ""
            with suppress(ProcessLookupError):
                os.kill(generator.choice(found), signal.SIGKILL)
            return target
        else:
            service = self.worker if target == "worker" else generator.choice(self.agents)
            service.end(signal.SIGKILL)
            time.sleep(pause_s)
            service.start()
        return f"{target}, {pause_s:.1f} s"

    def stop(self) -> None:
        """End all but the database in good order."""
        for service in (*self.agents, self.worker):
            service.end(signal.SIGTERM)
        self.server.stop()

    def processes(self) -> Iterator[tuple[int, str]]:
        """Yield the id and the command line of every process of this run that is alive."""
        for folder in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):
                if f"{MARK}={self.mark}".encode() in (folder / "environ").read_bytes().split(b"\0"):
                    command = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode().strip()
                    if command:  # a process that has ended and waits for its parent has none
                        yield int(folder.name), command


@contextmanager
def laboratory(folder: Path, make_database: Callable[[Path, str], KilledDatabase]) -> Iterator[Laboratory]:
    """Start everything in a folder; whatever still runs at the end is killed."""
    folder.chmod(0o711)  # PostgreSQL's own user reaches its folder
    mark = f"{folder.name}-{os.getpid()}"
    database = make_database(folder, mark)
    opened = Database(database.url)
    migrate_to_head(opened.engine)
    opened.close()
    data = folder / "data"
    data.mkdir()
    server = LoadServer(data, database.url, {"EDGENAS_MAX_QUEUED_JOBS": "1000", MARK: mark})
    worker = Service(
        (sys.executable, "-m", "search_server", "worker"), server.environment, data / "worker.log"
    )
    running = Laboratory(folder, mark, database, server, worker)
    try:
        server.start()
        worker.start()
        for name in DEVICES:
            running.add_agent(name)
        yield running
    finally:
        running.stop()
        database.close()
        for pid, _ in running.processes():
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
