"""Server, worker and agent as processes of this machine, for what tries the whole loop."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import httpx

from search_server.client import SearchClient

BIN = Path(sys.executable).parent
STARTUP_S = 600.0
STOP_S = 10.0


class DemoError(RuntimeError):
    """The demo cannot go on; the message says what to do."""


@contextmanager
def running_server(data: Path) -> Iterator[str]:
    """Run a server on a data folder until the block ends; yield its address.

    Raises:
        DemoError: it does not answer.
    """
    data.mkdir(parents=True, exist_ok=True)
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    process = start(
        "search-server", "serve", "--port", str(port), "--data", str(data), log=data / "server.log"
    )
    try:
        wait_until_ready(url, process)
        yield url
    finally:
        stop([process])


@contextmanager
def local_services(data: Path) -> Iterator[tuple[SearchClient, str]]:
    """Start server, worker and agent on a data folder; stop them at the end, whatever happens.

    Yields:
        A client with a user token, and the address of the page.
    """
    data.mkdir(parents=True, exist_ok=True)
    run_to_end("search-server", "migrate", "--data", str(data))
    token = user_token(data)
    with running_server(data) as server_url:
        enrol(data, server_url)
        processes: list[subprocess.Popen[bytes]] = []
        try:
            worker = ("search-server", "worker", "--data", str(data))
            processes.append(start(*worker, log=data / "worker.log"))
            agent = ("profiler-agent", "run", "--server", server_url, "--data", str(data / "agent"))
            processes.append(start(*agent, log=data / "agent.log"))
            with SearchClient(server_url, token) as client:
                yield client, f"{server_url}/login#token={token}"
        finally:
            stop(processes)


def wait_for_device(client: SearchClient) -> str:
    """Return the name of this machine's device once its agent has reached the server."""
    end_s = time.monotonic() + STARTUP_S
    while time.monotonic() < end_s:
        for device in client.devices():
            if device.is_online:
                return device.name
        time.sleep(0.2)
    raise DemoError(f"the agent did not reach the server within {STARTUP_S:.0f} s; see agent.log")


def free_port() -> int:
    """Return 8000, or a free port if that one is taken; ``EDGENAS_DEMO_PORT=0`` takes any free one.

    Tests ask for any: two that take 8000 at the same moment would talk to one server.
    """
    for port in (int(os.environ.get("EDGENAS_DEMO_PORT", "8000")), 0):
        with suppress(OSError), socket.socket() as listener:
            listener.bind(("127.0.0.1", port))
            return int(listener.getsockname()[1])
    raise DemoError("no free port on 127.0.0.1")


def user_token(data: Path) -> str:
    """Return the token that the demo keeps in its data folder, made at the first run."""
    path = data / "user-token"
    if not path.exists():
        token = create_token(data, "user")
        path.touch(mode=0o600)
        path.write_text(token)
    return path.read_text()


def create_token(data: Path, scope: str) -> str:
    """Return a new token of the demo's own server."""
    return run_to_end("search-server", "token", "create", "--scope", scope, "--data", str(data)).strip()


def enrol(data: Path, server_url: str) -> None:
    """Enrol this machine once; later runs, on whatever port, use the same credential."""
    credential = data / "agent" / "credential.json"
    if credential.exists():
        known = json.loads(credential.read_text())
        credential.write_text(json.dumps({**known, "server": server_url}))
        return
    environment = {"EDGENAS_ENROLMENT_TOKEN": create_token(data, "enrol")}
    run_to_end("profiler-agent", "enrol", server_url, "--data", str(data / "agent"), **environment)


def wait_until_ready(server_url: str, server: subprocess.Popen[bytes]) -> None:
    """Return once the server answers."""
    end_s = time.monotonic() + STARTUP_S
    while time.monotonic() < end_s:
        with suppress(httpx.TransportError):
            if httpx.get(f"{server_url}/readyz").status_code == httpx.codes.OK:
                return
        if server.poll() is not None:
            raise DemoError("the server stopped at once; see server.log")
        time.sleep(0.1)
    raise DemoError(f"the server did not answer within {STARTUP_S:.0f} s; see server.log")


def run_to_end(*command: str, **environment: str) -> str:
    """Run one of our commands and return its standard output."""
    done = subprocess.run(
        [str(BIN / command[0]), *command[1:]],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise DemoError(f"{' '.join(command)} failed: {done.stderr.strip()}")
    return done.stdout


def start(*command: str, log: Path) -> subprocess.Popen[bytes]:
    """Start one of our commands in a session of its own: Ctrl-C reaches this process only."""
    with log.open("ab") as file:
        return subprocess.Popen(
            [str(BIN / command[0]), *command[1:]],
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=file,
            start_new_session=True,
        )


def stop(processes: Sequence[subprocess.Popen[bytes]]) -> None:
    """End the processes, the youngest first, with all that they started."""
    for process in reversed(processes):
        process.terminate()
    end_s = time.monotonic() + STOP_S
    for process in reversed(processes):
        with suppress(subprocess.TimeoutExpired):
            process.wait(max(0.0, end_s - time.monotonic()))
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
