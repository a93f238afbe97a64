"""Settings of the agent: flags, then ``EDGENAS_AGENT_*`` variables, then ``agent.toml``, then defaults.

The file lies in the data folder and has the flags' names: ``listen``, ``server``, ``cores`` ...
"""

import json
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from profiler_agent.only_when import OnlyWhen, parse_only_when

PREFIX = "EDGENAS_AGENT_"
DEFAULT_LISTEN = "127.0.0.1:8070"
DEFAULT_DATA = "~/.local/share/edgenas-agent"
FILE_NAME = "agent.toml"

_NAMES = (
    "listen",
    "server",
    "cores",
    "threads",
    "runtime",
    "name",
    "simulated_device",
    "only_when",
    "allow_upgrade",
)
_YES_OR_NO = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}


@dataclass(frozen=True, slots=True)
class AgentSettings:
    """What an owner can set; read in ``__main__`` only."""

    data: Path
    """Folder for the credential, model files and results on their way."""
    listen: str | None = None
    """``HOST:PORT`` to serve on."""
    server: str | None = None
    """URL of the server to dial."""
    cores: tuple[int, ...] = ()
    """Cores that measurements may use; empty: all."""
    threads: int | None = None
    """Most threads that a lease may ask for."""
    runtime: str | None = None
    """The only runtime to offer; None offers all that are installed."""
    simulated_device: str | None = None
    """Whose noise the runtime ``simulated`` has; only with that runtime."""
    name: str | None = None
    """What people call this device; None takes the host name."""
    only_when: OnlyWhen = OnlyWhen()
    """When leases are taken."""
    allow_upgrade: bool = False
    """The server may upgrade this agent."""


def load_settings(flags: Mapping[str, str | None], environ: Mapping[str, str]) -> AgentSettings:
    """Return the settings.

    Args:
        flags: values from the command line by name; None where the flag was not given.
        environ: the environment variables.

    Raises:
        ValueError: a value has the wrong form, or the file has an unknown name; says where it stands.
    """
    data = Path(_first(flags, environ, "data") or DEFAULT_DATA).expanduser()
    from_file = _read_file(data / FILE_NAME)
    values = {name: _first(flags, environ, name) or from_file.get(name) for name in _NAMES}
    return AgentSettings(
        data=data,
        listen=values["listen"],
        server=values["server"],
        cores=_cores(values["cores"]),
        threads=_threads(values["threads"]),
        runtime=values["runtime"],
        simulated_device=values["simulated_device"],
        name=values["name"],
        only_when=parse_only_when(values["only_when"]) if values["only_when"] else OnlyWhen(),
        allow_upgrade=_yes_or_no("allow_upgrade", values["allow_upgrade"]),
    )


def store_settings(data: Path, values: Mapping[str, str | None]) -> None:
    """Write settings into the file of the data folder, whose other lines stay; None leaves one as it is.

    Raises:
        ValueError: the file is not valid.
    """
    path = data / FILE_NAME
    given = {name: value for name, value in values.items() if value is not None}
    if not given:
        return
    _read_file(path)
    lines = path.read_text().splitlines() if path.exists() else []
    kept = [line for line in lines if line.partition("=")[0].strip() not in given]
    new = [f"{name} = {json.dumps(value)}" for name, value in given.items()]
    data.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join([*kept, *new, ""]))


def parse_address(listen: str) -> tuple[str, int]:
    """Return host and port of ``HOST:PORT``, ``[IPV6]:PORT`` or ``PORT``; the host is 127.0.0.1 if absent.

    Raises:
        ValueError: the text has another form, or the port is out of range.
    """
    host, _, port = listen.rpartition(":")
    if not port.isdecimal() or int(port) > 65535:
        raise ValueError(f"listen must be HOST:PORT with a port in 0..65535, got {listen!r}")
    return host.strip("[]") or "127.0.0.1", int(port)


def _first(flags: Mapping[str, str | None], environ: Mapping[str, str], name: str) -> str | None:
    return flags.get(name) or environ.get(PREFIX + name.upper()) or None


def _read_file(path: Path) -> dict[str, str]:
    try:
        document = tomllib.loads(path.read_text())
    except FileNotFoundError:
        return {}
    except tomllib.TOMLDecodeError as error:
        raise ValueError(f"{path} is not valid TOML: {error}") from error
    unknown = sorted(document.keys() - set(_NAMES))
    if unknown:
        raise ValueError(f"{path} sets unknown {', '.join(unknown)}; it may set {', '.join(_NAMES)}")
    return {
        name: ",".join(map(str, value)) if isinstance(value, list) else str(value)
        for name, value in document.items()
    }


def _yes_or_no(name: str, text: str | None) -> bool:
    if text is None:
        return False
    if text.lower() not in _YES_OR_NO:
        raise ValueError(f"{name} must be yes or no, got {text!r}")
    return _YES_OR_NO[text.lower()]


def _cores(text: str | None) -> tuple[int, ...]:
    parts = [part.strip() for part in text.split(",")] if text else []
    if not all(part.isdecimal() for part in parts) or len(set(parts)) != len(parts):
        raise ValueError(f"cores must be different numbers separated by commas, such as 0,1; got {text!r}")
    return tuple(map(int, parts))


def _threads(text: str | None) -> int | None:
    if text is None:
        return None
    if not text.isdecimal() or not 1 <= int(text) <= 256:
        raise ValueError(f"threads must lie in 1..256, got {text!r}")
    return int(text)
