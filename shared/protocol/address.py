"""The address of a server or an agent, such as ``http://192.168.1.20:8000`` or ``https://nas.example.org``."""

from urllib.parse import SplitResult, urlsplit

MAX_PORT = 65535


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
