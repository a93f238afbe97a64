"""The address of a server or an agent, such as ``http://192.168.1.20:8000`` or ``https://nas.example.org``."""

import re
from ipaddress import ip_address
from urllib.parse import SplitResult, urlsplit

MAX_PORT = 65535
MAX_AGENT_URL = 500
"""Characters of an agent's address that a server keeps."""

_LABEL = re.compile(r"[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?")


def checked_address(url: str, what: str = "the server's address") -> str:
    """Return an address without its trailing slash.

    Args:
        url: as a person typed it.
        what: names it in messages.

    Raises:
        ValueError: it is none; the message says what is wrong with it and shows the right form.
    """
    try:
        parts = urlsplit(url)
        problem = _problem(url, parts)
    except ValueError as error:  # an IPv6 address without its closing bracket
        problem = str(error)
    if problem is not None:
        raise ValueError(f"{what} must look like http://192.168.1.20:8000, got {_shown(url)!r}: {problem}")
    return url.rstrip("/")


def checked_agent_url(url: str) -> str:
    """Return the address at which a server calls an agent: scheme, host and port, nothing behind them.

    Raises:
        ValueError: it is none; the message says what is wrong with it and shows the right form.
    """
    checked = checked_address(url, "agent_url")
    parts = urlsplit(checked)
    host = parts.hostname or ""
    problem = None
    if len(url) > MAX_AGENT_URL:
        problem = f"it has {len(url)} characters; at most {MAX_AGENT_URL} are kept"
    elif parts.path:
        problem = f"it must end behind host and port, before {parts.path[:40]!r}"
    elif not _is_host(host):
        problem = f"{host[:40]!r} is neither a host name nor an IP address; write 127.0.0.1, not 0177.0.0.1"
    if problem is not None:
        raise ValueError(f"agent_url must look like http://192.168.1.20:8765, got {url[:80]!a}: {problem}")
    return checked


def _is_host(host: str) -> bool:
    """Tell whether a host is an IP address in its usual form, or a name that ends in no number."""
    try:
        ip_address(host.partition("%")[0])
    except ValueError:
        *_, last = labels = host.removesuffix(".").split(".")
        # Names that end in a number are IPv4 addresses in octal, hexadecimal or shortened forms.
        return not re.fullmatch(r"\d+|0[xX][0-9a-fA-F]*", last) and all(map(_LABEL.fullmatch, labels))
    return True


def _problem(url: str, parts: SplitResult) -> str | None:
    """Return what is wrong, or None."""
    if parts.scheme not in ("http", "https"):
        return "it must begin with http:// or https://"
    if any(character.isspace() or not character.isprintable() for character in url):
        return "it has a space or an invisible character in it"
    if "@" in parts.netloc:
        return "it must hold no user name and no password; tokens are given on their own"
    if parts.query or parts.fragment:
        return "it must end before '?' and '#'"
    host, _, port = parts.netloc.rpartition(":") if _has_port(parts.netloc) else (parts.netloc, "", None)
    if not host:
        return "it names no host"
    if ":" in host and not host.startswith("["):
        return "an IPv6 address stands in brackets, such as http://[fd00::20]:8000"
    if port is not None and not (port.isascii() and port.isdigit()):
        return f"the port {port!r} is no number"
    if port is not None and not 1 <= int(port) <= MAX_PORT:
        return f"port {port} lies outside 1..{MAX_PORT}"
    return None


def _has_port(netloc: str) -> bool:
    return ":" in netloc.rpartition("]")[2]


def _shown(url: str) -> str:
    """Return the address without what may be a password."""
    before, at, host = url.rpartition("@")
    return f"{before.partition('//')[0]}//...@{host}" if at else url
