"""The agent as a wheel, packed from the files that are installed beside the server.

The wheel of one installation is the same bytes at every start: files in order, no times, not compressed.
"""

import base64
import hashlib
import io
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib.metadata import Distribution, distribution
from importlib.util import find_spec
from pathlib import Path

from shared.protocol.measurement import AgentWheel

DISTRIBUTION = "edgenas-agent"
PACKAGES = ("profiler_agent", "shared")

_WHEEL = "Wheel-Version: 1.0\nGenerator: search-server\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
_TIME = (1980, 1, 1, 0, 0, 0)
"""The earliest that a zip file can say."""


@dataclass(frozen=True, slots=True)
class Wheel:
    """A wheel file and what it is called."""

    name: str
    content: bytes

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.content).hexdigest()


@cache
def agent_wheel() -> Wheel:
    """Return the wheel of the agent that is installed here.

    Raises:
        PackageNotFoundError: the agent's distribution is not installed.
    """
    agent = distribution(DISTRIBUTION)
    stem = f"{DISTRIBUTION.replace('-', '_')}-{agent.version}"
    info = f"{stem}.dist-info"
    files = dict(_package_files()) | dict(_info_files(agent, info))
    files[f"{info}/WHEEL"] = _WHEEL.encode()
    files[f"{info}/RECORD"] = _record(files, f"{info}/RECORD").encode()
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_STORED) as archive:
        for path, content in files.items():
            entry = zipfile.ZipInfo(path, _TIME)
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, content)
    return Wheel(f"{stem}-py3-none-any.whl", packed.getvalue())


def own_wheel() -> AgentWheel:
    """Return name and hash of the server's own agent, as it is offered to agents."""
    wheel = agent_wheel()
    return AgentWheel(wheel.name, wheel.sha256)


def _package_files() -> Iterator[tuple[str, bytes]]:
    """Yield the files of the agent's packages by their path in the wheel, in order."""
    for package in PACKAGES:
        spec = find_spec(package)  # finds the folder and imports nothing
        assert spec is not None, f"package {package} comes with this one"
        assert spec.origin is not None, f"package {package} has a folder"
        folder = Path(spec.origin).parent
        for path in sorted(folder.rglob("*")):
            if path.is_file() and "__pycache__" not in path.parts:
                yield f"{package}/{path.relative_to(folder).as_posix()}", path.read_bytes()


def _info_files(agent: Distribution, info: str) -> Iterator[tuple[str, bytes]]:
    """Yield metadata, console scripts and licences."""
    for path in sorted(agent.files or (), key=str):
        name = path.as_posix().removeprefix(f"{info}/")
        if name in ("METADATA", "entry_points.txt") or name.startswith("licenses/"):
            yield f"{info}/{name}", path.read_binary()


def _record(files: dict[str, bytes], own_path: str) -> str:
    """Return the list of files with hash and size that installers check."""
    lines = [f"{path},sha256={_digest(content)},{len(content)}" for path, content in files.items()]
    return "\n".join([*lines, f"{own_path},,", ""])


def _digest(content: bytes) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
