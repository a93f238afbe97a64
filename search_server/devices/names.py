"""Names of devices: short, and such that they can stand in a path and on a command line."""

import re
import unicodedata

MAX_NAME_LENGTH = 100

_NAME = re.compile(rf"[A-Za-z0-9][A-Za-z0-9._ -]{{0,{MAX_NAME_LENGTH - 1}}}(?<! )")
_NOT_ALLOWED = re.compile(r"[^A-Za-z0-9._ -]+")


def require_name(name: str) -> None:
    """Return if a device may have this name.

    Raises:
        ValueError: it is too long, has other characters, or begins or ends as a name must not.
    """
    if not _NAME.fullmatch(name):
        raise ValueError(
            f"a device cannot be called {name[: MAX_NAME_LENGTH + 1]!r}: a name has 1 to {MAX_NAME_LENGTH} "
            "characters out of A-Z, a-z, 0-9, '.', '_', '-' and space, begins with a letter or digit and "
            f"does not end with a space; {normal_name(name)!r} would do"
        )


def normal_name(name: str) -> str:
    """Return the name that a device may have and that comes nearest: accents dropped, the rest ``-``."""
    plain = "".join(c for c in unicodedata.normalize("NFKD", name) if not unicodedata.combining(c))
    cleaned = _NOT_ALLOWED.sub("-", plain).lstrip("._ -")[:MAX_NAME_LENGTH]
    return cleaned.rstrip(" -") or "device"
