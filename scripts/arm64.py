"""``make test-arm64``: what a person with a 64-bit ARM board sees, from the one line to tables.

The board is emulated (:mod:`scripts.arm64_board`): installing, enrolling, leases, faults and results are
real, its milliseconds mean nothing. In the middle of leases the agent is killed, the network is cut and the
server is started again; in the end every lease must be there once, and nothing of the agent is left.
"""

import os
import re
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from scripts.arm64_board import SERVER_ADDRESS, USER, Board, SkippedError, board
from scripts.local_services import BIN, create_token, run_to_end, start, stop, user_token, wait_until_ready

SPACE = "fbnet-tiny"
URL = f"http://{SERVER_ADDRESS}:8765"
FURTHER = (("ncnn", "ncnn"), ("litert", "ai-edge-litert"))
"""Runtimes after ONNX Runtime, and their packages."""
MID_LEASE_S = 900.0
CUT_S = 20.0


class Story:
    """Server, board and the folder where all of it is kept."""

    def __init__(self, folder: Path, device: Board) -> None:
        self._board = device
        self._data = folder / "server"
        self._logs = folder
        self._server: subprocess.Popen[bytes] | None = None
        self._agent: subprocess.Popen[bytes] | None = None
        self._met: set[tuple[object, ...]] = set()
        """Leases, by id and hand-out, that an event has met."""
        self._began_s = time.monotonic()

    def tell(self) -> None:
        """Go through the whole story.

        Raises:
            RuntimeError: something is not as a user was promised.
        """
        self._data.mkdir()
        run_to_end("search-server", "migrate", "--data", str(self._data))
        self._environment = {
            "EDGENAS_SERVER_URL": URL,
            "EDGENAS_TOKEN": user_token(self._data),
            "COLUMNS": "150",
        }
        self._start_server()
        before = self._board.run(_FILES)
        agent = self._install()
        self._agent = self._board.start(f"{agent} run", self._logs / "agent.log")
        self._profile_through_faults(agent)
        self._say(self._edgenas("measure", "-d", "board", "-s", SPACE, "k3_e6", "skip", "--accept-noise"))
        for runtime, package in FURTHER:
            self._profile_with(agent, runtime, package)
        self._say(self._edgenas("tables", "list"))
        self._require_each_lease_once()
        self._uninstall(before)

    def close(self) -> None:
        """Stop the server."""
        if self._server is not None:
            stop([self._server])

    def _install(self) -> str:
        """Run the one line as a user at the board's terminal; return the agent's path there."""
        token = create_token(self._data, "enrol")
        line = f"curl -fsS {URL}/install/agent.sh | sh"
        self._say(f"{USER}@board:~$ {line}")
        began_s = time.monotonic()
        self._say(self._board.type(line, "Enrolment token", token))
        listed = self._edgenas("devices", "list")
        self._say(listed)
        if "board" not in listed:
            raise RuntimeError("the board is not in the list")
        seconds = time.monotonic() - began_s
        self._say(
            f"from token to device in list: {seconds:.0f} s (emulated), {len(line) + 1} characters typed "
            f"and {len(token) + 1} of the token pasted"
        )
        return f"/home/{USER}/.local/share/edgenas-agent/venv/bin/profiler-agent"

    def _profile_through_faults(self, agent: str) -> None:
        with self._profiling("onnxruntime"):
            self._in_mid_lease("the agent is killed (-9)")
            self._board.run("pkill -9 -f 'profiler-agent [r]un'", user="root")
            self._agent = self._board.start(f"{agent} run", self._logs / "agent.log")
            self._in_mid_lease(f"the network is cut for {CUT_S:.0f} s")
            with self._board.cut_off():
                time.sleep(CUT_S)
            self._in_mid_lease("the server is started again")
            assert self._server is not None, "it runs"
            stop([self._server])
            self._start_server()

    def _profile_with(self, agent: str, runtime: str, package: str) -> None:
        pip = agent.replace("profiler-agent", "pip")
        line = f"{pip} install -q --only-binary :all: {package}"
        self._say(f"{USER}@board:~$ {line}\n{self._board.run(line)}")
        self._board.run("pkill -TERM -f 'profiler-agent [r]un'", user="root")
        assert self._agent is not None, "it runs"
        self._agent.wait()
        self._agent = self._board.start(f"{agent} run", self._logs / "agent.log")
        self._wait_for(
            lambda: runtime in self._edgenas("devices", "show", "board"), f"{runtime} on the board"
        )
        with self._profiling(runtime):
            pass

    @contextmanager
    def _profiling(self, runtime: str) -> Iterator[None]:
        """Profile in the background; at the end the table must be there."""
        arguments = ("profile", "-d", "board", "-s", SPACE, "--runtime", runtime, "--accept-noise")
        log = self._logs / f"profile-{runtime}.log"
        with log.open("wb") as file:
            profile = subprocess.Popen(
                [BIN / "edgenas", *arguments],
                env={**os.environ, **self._environment},
                stdout=file,
                stderr=file,
            )
        try:
            yield
            profile.wait()
        finally:
            profile.kill()
            profile.wait()
        self._say(f"$ edgenas {' '.join(arguments)}\n{log.read_text()}")
        if profile.returncode:
            raise RuntimeError(f"the profile with {runtime} ended with status {profile.returncode}")

    def _in_mid_lease(self, event: str) -> None:
        """Wait until a lease is at work that none of the events before met, and tell the event."""
        at_work: list[tuple[object, ...]] = []

        def is_new() -> bool:
            at_work[:] = [row for row in self._query(_AT_WORK) if row[:2] not in self._met]
            return at_work != []

        self._wait_for(is_new, "a lease at work")
        lease, fence, progress = at_work[0]
        self._met.add((lease, fence))
        self._say(f"[{lease}, hand-out {fence}, {progress:.0%}] {event}")

    def _require_each_lease_once(self) -> None:
        doubled = self._query(_DOUBLED)
        unfinished = self._query("SELECT lease_id, status FROM leases WHERE status != 'done'")
        ((num_leases, num_handed_out),) = self._query("SELECT count(*), sum(fence) FROM leases")
        if doubled or unfinished:
            raise RuntimeError(f"items measured twice: {doubled}; leases not done: {unfinished}")
        self._say(
            f"{num_leases} leases, handed out {num_handed_out} times, each done once with every item once"
        )

    def _uninstall(self, before: str) -> None:
        line = f"curl -fsS {URL}/install/agent.sh | sh -s -- --uninstall"
        self._say(f"{USER}@board:~$ {line}\n{self._board.run(line)}")
        assert self._agent is not None, "it runs until then"
        self._agent.wait(MID_LEASE_S)
        left = set(self._board.run(_FILES).splitlines()) - set(before.splitlines())
        if left:
            raise RuntimeError(f"left on the board: {' '.join(sorted(left))}")

    def _start_server(self) -> None:
        serve = ("search-server", "serve", "--host", SERVER_ADDRESS, "--port", "8765")
        self._server = start(*serve, "--data", str(self._data), log=self._logs / "server.log")
        wait_until_ready(URL, self._server)

    def _edgenas(self, *arguments: str) -> str:
        printed = run_to_end("edgenas", *arguments, **self._environment)
        return f"$ edgenas {' '.join(arguments)}\n{printed}"

    def _query(self, statement: str) -> list[tuple[object, ...]]:
        (path,) = self._data.glob("*.db")
        with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=60)) as database:
            return database.execute(statement).fetchall()

    def _wait_for(self, is_so: Callable[[], bool], what: str) -> None:
        end_s = time.monotonic() + MID_LEASE_S
        while not is_so():
            if time.monotonic() > end_s:
                raise RuntimeError(f"waited {MID_LEASE_S:.0f} s for {what} in vain")
            time.sleep(0.5)

    def _say(self, text: str) -> None:
        clean = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]| +$", "", text, flags=re.MULTILINE).strip()
        print(f"--- {time.monotonic() - self._began_s:.0f} s\n{clean}", flush=True)


_FILES = "find ~ /tmp"
_AT_WORK = "SELECT lease_id, fence, progress FROM leases WHERE status = 'leased' AND progress > 0"
_DOUBLED = """
SELECT results.lease_id, item_id, count(*) FROM results JOIN leases ON results.lease_id = leases.lease_id
WHERE results.fence = leases.fence GROUP BY results.lease_id, item_id HAVING count(*) > 1"""


def main() -> int:
    """Tell the story; return 0, also where this machine cannot be a board, and say why."""
    kept = Path(os.environ.get("EDGENAS_ARM64_DATA", "/var/tmp/edgenas-arm64"))
    folder = kept / "story"
    try:
        with board(kept) as device:
            subprocess.run(["rm", "-rf", str(folder)], check=True)
            folder.mkdir()
            story = Story(folder, device)
            try:
                story.tell()
            finally:
                story.close()
    except SkippedError as error:
        print(f"skipped: {error}")
        return 0
    except RuntimeError as error:
        print(f"failed: {error}\nLogs: {folder}", file=sys.stderr)
        return 1
    print(f"passed; logs: {folder}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
