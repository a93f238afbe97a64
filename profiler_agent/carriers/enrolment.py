"""Swaps a short-lived enrolment token for this device's own credential."""

import asyncio
import logging
import random
import sys
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import typer

from profiler_agent.carriers.backoff import Backoff
from profiler_agent.carriers.credentials import Credentials
from shared.protocol.call_server import RequestRefusedError, ServerClient
from shared.protocol.device import DeviceCreate, DeviceCredential

TOKEN_VARIABLE = "EDGENAS_ENROLMENT_TOKEN"

_log = logging.getLogger(__name__)


def read_enrolment_token(token_file: Path | None, environ: Mapping[str, str]) -> str:
    """Return the token from a file, else from the environment, else from the person at the terminal.

    Args:
        token_file: ``-`` is standard input.
        environ: the environment variables.

    Raises:
        ValueError: there is no token, or its file cannot be read.
    """
    if token_file is not None:
        try:
            token = sys.stdin.read() if str(token_file) == "-" else token_file.read_text()
        except OSError as error:
            raise ValueError(f"the enrolment token cannot be read: {error}") from error
    elif TOKEN_VARIABLE in environ:
        token = environ[TOKEN_VARIABLE]
    elif sys.stdin.isatty():
        token = str(typer.prompt("Enrolment token", hide_input=True, err=True))
    else:
        raise ValueError(f"give the enrolment token with --token-file or in {TOKEN_VARIABLE}")
    if not token.strip():
        raise ValueError("the enrolment token is empty")
    return token.strip()


async def enrol_device(url: str, token: str, create: DeviceCreate, credentials: Credentials) -> Credentials:
    """Enrol at a server and return the credentials with the new token in them; nothing is stored.

    Args:
        url: the server.
        token: the enrolment token.
        create: what this device is.
        credentials: what the agent has so far.

    Raises:
        RequestRefusedError: the token is wrong, used up or too old, or the server has too much to do.
        NoAnswerError: no server answers.
        ValueError: the URL is none.
    """
    async with ServerClient(url) as client:
        credential = await ask_patiently(client, token, create, Backoff(random.Random()))
        return replace(
            credentials, server=client.url, device_id=credential.device_id, token=credential.token
        )


async def ask_patiently(
    client: ServerClient, token: str, create: DeviceCreate, backoff: Backoff, patience_s: float = 120.0
) -> DeviceCredential:
    """Enrol, and ask a server that has too much to do again, for ``patience_s`` seconds at most.

    Raises:
        RequestRefusedError: the token is wrong, used up or too old, or the server has too much to do.
        NoAnswerError: no server answers.
    """
    end_s = time.monotonic() + patience_s
    while True:
        try:
            return await client.enrol(token, create)
        except RequestRefusedError as error:
            pause_s = backoff.next_s(error.retry_after_s)
            if not error.is_temporary or time.monotonic() + pause_s > end_s:
                raise
            _log.warning("%s; next attempt in %.1f s", error, pause_s)
            await asyncio.sleep(pause_s)
