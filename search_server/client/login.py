"""Which server a client talks to, and with whose token: told, from the environment, or kept by a login."""

import os
from dataclasses import dataclass
from pathlib import Path

import typer

from shared.protocol.address import checked_address
from shared.protocol.wire import from_json, to_json

DEFAULT_SERVER_URL = "http://127.0.0.1:8000"
SERVER_VARIABLE = "EDGENAS_SERVER_URL"
TOKEN_VARIABLE = "EDGENAS_TOKEN"


@dataclass(frozen=True, slots=True)
class Login:
    """A server and the token for it."""

    server_url: str
    token: str


def login_path() -> Path:
    """Return the file that holds the login of this user of this machine."""
    return Path(typer.get_app_dir("edgenas")) / "login.json"


def keep_login(login: Login) -> Path:
    """Keep a login where only this user can read it, and return the file."""
    path = login_path()
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    part = path.with_name(".login.json.part")
    part.unlink(missing_ok=True)
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(to_json(login))
    part.replace(path)
    return path


def kept_login() -> Login | None:
    """Return the login that was kept; None: there is none.

    Raises:
        ValueError: others can read the file, or it holds something else.
    """
    path = login_path()
    try:
        content, mode = path.read_bytes(), path.stat().st_mode
    except FileNotFoundError:
        return None
    if os.name == "posix" and mode & 0o077:
        raise ValueError(f"others can read {path}, which holds a token; mend it with: chmod 600 {path}")
    try:
        return from_json(content, Login)
    except ValueError:
        raise ValueError(f"{path} holds no login; 'edgenas logout' removes it") from None


def forget_login() -> bool:
    """Remove the login that was kept; False: there was none."""
    try:
        login_path().unlink()
    except FileNotFoundError:
        return False
    return True


def server_and_token(server_url: str | None, token: str | None) -> tuple[str, str | None]:
    """Return where to send requests and what to sign them with.

    What is given wins over ``EDGENAS_SERVER_URL`` and ``EDGENAS_TOKEN``, these win over the login. The
    token of the login is sent to the server of the login only.

    Args:
        server_url: None: as above, at last this machine.
        token: None: as above; empty: none is sent.

    Raises:
        ValueError: the address is none, or the login cannot be used.
    """
    server_url = server_url or os.environ.get(SERVER_VARIABLE) or None
    token = token if token is not None else os.environ.get(TOKEN_VARIABLE) or None
    login = kept_login() if server_url is None or token is None else None
    url = checked_address(server_url or (login.server_url if login else DEFAULT_SERVER_URL))
    if token is None and login is not None and login.server_url == url:
        token = login.token
    return url, token
