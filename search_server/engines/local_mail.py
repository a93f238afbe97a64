"""The mailbox of processes on this machine: a socket on loopback, open to those who know its secret."""

import os
import pickle
import secrets
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from multiprocessing import AuthenticationError
from multiprocessing.connection import Client, Connection, Listener
from typing import Any

from search_server.engines.mailbox import Mail, Mailbox

ADDRESS, SECRET = "EDGENAS_MAILBOX_PORT", "EDGENAS_MAILBOX_SECRET"
"""Variables of the processes that know the mailbox."""

_TASK, _LATEST = "task", "latest checkpoint"
"""What can be asked for; anything else is put into the mailbox."""


@contextmanager
def served(mailbox: Mailbox, task: bytes) -> Iterator[Mapping[str, str]]:
    """Open a mailbox until the block ends; yield the variables by which others find it.

    Args:
        mailbox: where their reports go.
        task: what they are to do, pickled.
    """
    secret = secrets.token_bytes(32)
    with Listener(("127.0.0.1", 0), authkey=secret) as listener:
        threading.Thread(target=_accept, args=(listener, mailbox, task), daemon=True).start()
        _, port = listener.address
        yield {ADDRESS: str(port), SECRET: secret.hex()}


def _accept(listener: Listener, mailbox: Mailbox, task: bytes) -> None:
    while True:
        try:
            connection = listener.accept()
        except (AuthenticationError, EOFError, ConnectionError):
            continue  # a stranger, or a process that died as it began
        except OSError:
            return  # closed
        threading.Thread(target=_serve, args=(connection, mailbox, task), daemon=True).start()


def _serve(connection: "Connection[Any, Any]", mailbox: Mailbox, task: bytes) -> None:
    with connection:
        while True:
            try:
                asked = pickle.loads(connection.recv_bytes())
            except (EOFError, OSError):
                return  # its process has ended
            answer: object = None
            if asked == _TASK:
                answer = task
            elif asked == _LATEST:
                answer = mailbox.latest_checkpoint()
            else:
                mailbox.put(asked)
            connection.send_bytes(pickle.dumps(answer))


class MailClient:
    """The way of one process to the mailbox."""

    def __init__(self) -> None:
        address = ("127.0.0.1", int(os.environ[ADDRESS]))
        self._lock = threading.Lock()
        self._connection = Client(address, authkey=bytes.fromhex(os.environ[SECRET]))

    def task(self) -> tuple[Any, Any]:
        """Return function and task."""
        function_and_task: tuple[Any, Any] = pickle.loads(self._ask(_TASK))
        return function_and_task

    def latest_checkpoint(self) -> bytes | None:
        """Return from what to go on."""
        checkpoint: bytes | None = self._ask(_LATEST)
        return checkpoint

    def put(self, mail: Mail) -> None:
        """Send a report or a refusal, and return once it has come."""
        self._ask(mail)

    def _ask(self, question: object) -> Any:
        with self._lock:
            self._connection.send_bytes(pickle.dumps(question))
            return pickle.loads(self._connection.recv_bytes())
