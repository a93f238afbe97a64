"""How this agent came here: by the server's line, which leaves the hash of its wheel, or in another way."""

import os
import re
import sysconfig
from pathlib import Path

from profiler_agent.facts.environment import read_text

MARK = "edgenas-agent.sha256"
"""File in the agent's environment that the server's line writes."""

_SHA256 = re.compile(r"[0-9a-f]{64}")


def installed_wheel(prefix: Path) -> str:
    """Return the hash of the wheel that the server's line installed into an environment; else empty."""
    text = read_text(prefix / MARK) or ""
    return text if _SHA256.fullmatch(text) else ""


def note_installed_wheel(prefix: Path, sha256: str) -> None:
    """Note which wheel an environment has now."""
    (prefix / MARK).write_text(sha256 + "\n")


def can_change_itself(prefix: Path) -> bool:
    """Tell whether this user may install into the environment of this program."""
    paths = (prefix, sysconfig.get_path("purelib"), sysconfig.get_path("scripts"))
    return all(os.access(path, os.W_OK) for path in paths)
