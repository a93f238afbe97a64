"""The agent's secrets: one JSON file that only its owner can read.

It holds the device's own token, with the server it is for, and the token that callers of the listening
agent must present.
"""

import os
import secrets
import stat
from dataclasses import dataclass, replace
from pathlib import Path

from shared.protocol.wire import from_json, to_json

FILE_NAME = "credential.json"


@dataclass(frozen=True, slots=True)
class Credentials:
    """What this agent may show to others; parts are None until it enrols or serves."""

    server: str | None = None
    device_id: str | None = None
    token: str | None = None
    """The device's own, for ``server``."""
    serve_token: str | None = None
    """What callers of this agent must present."""

    def __repr__(self) -> str:
        return f"Credentials(server={self.server!r}, device_id={self.device_id!r}, ...)"


def credentials_path(data_dir: Path) -> Path:
    """Return where the secrets of an agent lie."""
    return data_dir / FILE_NAME


def load_credentials(data_dir: Path) -> Credentials:
    """Return the stored secrets; all None if there are none yet.

    Raises:
        ValueError: others can read the file, or its content is broken; the message says what to do.
    """
    path = credentials_path(data_dir)
    try:
        mode = stat.S_IMODE(path.stat().st_mode)
        text = path.read_text()
    except FileNotFoundError:
        return Credentials()
    if mode & 0o077:
        raise ValueError(f"{path} holds secrets but has mode {mode:04o}; run: chmod 600 {path}")
    return from_json(text, Credentials)


def save_credentials(data_dir: Path, credentials: Credentials) -> None:
    """Replace the stored secrets in one step, with mode 0600."""
    data_dir.mkdir(parents=True, exist_ok=True)
    path = credentials_path(data_dir)
    torso = path.with_suffix(".part")
    torso.unlink(missing_ok=True)
    descriptor = os.open(torso, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(to_json(credentials))
        file.flush()
        os.fsync(file.fileno())
    torso.replace(path)


def ensure_serve_token(data_dir: Path) -> str:
    """Return the token that callers must present; the first call makes and stores it."""
    credentials = load_credentials(data_dir)
    if credentials.serve_token is not None:
        return credentials.serve_token
    token = f"edg_agent_{secrets.token_urlsafe(32)}"
    save_credentials(data_dir, replace(credentials, serve_token=token))
    return token
