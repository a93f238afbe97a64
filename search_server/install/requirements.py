"""The versions of what the agent needs, as they are installed beside the server: pins for devices."""

import re
from collections.abc import Iterator
from functools import cache
from importlib.metadata import PackageNotFoundError, distribution

from search_server.install.agent_wheel import DISTRIBUTION

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_EXTRA = re.compile(r";.*\bextra\s*==")


@cache
def agent_requirements() -> str:
    """Return a requirements file: one exact version a line; runtimes, which are extras, are not in it.

    What is not installed here, because only another system or Python needs it, is left to the installer.
    """
    pins: dict[str, str] = {}
    waiting = list(_needed_by(DISTRIBUTION))
    while waiting:
        name = waiting.pop()
        if name in pins:
            continue
        try:
            pins[name] = distribution(name).version
        except PackageNotFoundError:
            continue
        waiting.extend(_needed_by(name))
    return "".join(f"{name}=={version}\n" for name, version in sorted(pins.items()))


def _needed_by(name: str) -> Iterator[str]:
    for line in distribution(name).requires or ():
        match = _NAME.match(line)
        if match is not None and not _EXTRA.search(line):
            yield re.sub(r"[-_.]+", "-", match[0]).lower()
