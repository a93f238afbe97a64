"""Swaps a short-lived enrolment token for this device's own credential."""

import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import typer

from profiler_agent.carriers.credentials import Credentials
from shared.protocol.call_server import ServerClient
from shared.protocol.device import DeviceCreate

TOKEN_VARIABLE = "EDGENAS_ENROLMENT_TOKEN"


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
        RequestRefusedError: the token is wrong, used up or too old.
        NoAnswerError: no server answers.
        ValueError: the URL is none.
    """
    async with ServerClient(url) as client:
        credential = await client.enrol(token, create)
        return replace(
            credentials, server=client.url, device_id=credential.device_id, token=credential.token
        )
