"""Who measured, under which conditions, and how the device was at that moment.

Unknown facts are ``None``: never zero, never a guess.
"""

import hashlib
import json
import re
from dataclasses import asdict, dataclass, replace
from typing import Literal

from shared.protocol.address import checked_agent_url
from shared.protocol.tags import checked_tags
from shared.runtimes import DTYPES, RUNTIME_NAMES, usual_accelerator

_SHORT_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,31}")
_LABEL = re.compile(r"[A-Za-z0-9][A-Za-z0-9 ._+/-]{0,59}")


@dataclass(frozen=True, slots=True)
class RuntimeInfo:
    """An inference runtime that a device has."""

    name: str
    version: str
    dtypes: tuple[str, ...] = ("fp32",)
    accelerators: tuple[str, ...] = ()
    """What computes its networks here, the usual one first; empty: only the usual one, or untold."""


@dataclass(frozen=True, slots=True)
class Device:
    """What a device is: facts that stay the same between measurements."""

    name: str
    system: str
    """``platform.system()`` and release, such as ``Linux 6.1.0``."""
    machine: str
    """``platform.machine()``: what the kernel says, such as ``aarch64``."""
    platform: str
    """``sysconfig.get_platform()``: what Python was built for; can be 32-bit under a 64-bit kernel."""
    num_cores: int
    """Cores that the machine has, numbered from 0."""
    cpu_model: str | None = None
    core_max_khz: tuple[int | None, ...] = ()
    """Highest clock of each core in kHz: tells big cores from small ones."""
    memory_bytes: int | None = None
    python_version: str = ""
    agent_version: str = ""
    runtimes: tuple[RuntimeInfo, ...] = ()
    unknown: tuple[str, ...] = ()
    """Facts that this device does not tell, by name, such as ``temperature_c``."""
    allowed_cores: tuple[int, ...] = ()
    """Cores on which the agent may measure; empty means all, as agents before this fact meant."""
    agent_sha256: str = ""
    """Hash of the agent's wheel where the server's line installed it; else empty."""
    accepts_upgrade: bool = False
    """Its owner lets the server that it is enrolled at upgrade the agent."""
    protocol_max: int = 1
    """The newest protocol that the agent speaks; see :mod:`shared.protocol.measurement`."""

    @property
    def usable_cores(self) -> tuple[int, ...]:
        """Cores on which something can be measured."""
        return self.allowed_cores or tuple(range(self.num_cores))


@dataclass(frozen=True, slots=True)
class DeviceCreate:
    """An agent enrols: what it is, and where the server may call it (None: it dials out)."""

    device: Device
    agent_url: str | None = None
    tags: tuple[str, ...] = ()
    """Words by which several devices are chosen at once; a device that is known keeps its own."""

    def __post_init__(self) -> None:
        checked_tags(self.tags)
        if self.agent_url is not None:
            checked_agent_url(self.agent_url)


@dataclass(frozen=True, slots=True)
class DeviceCredential:
    """The answer to an enrolment; the token is shown this once."""

    device_id: str
    token: str


@dataclass(frozen=True, slots=True)
class Conditions:
    """What makes two latencies comparable; unlike conditions never share a table."""

    runtime: str = "onnxruntime"
    threads: int = 1
    dtype: str = "fp32"
    batch: int = 1
    cores: tuple[int, ...] = ()
    """Cores asked for; empty means that the operating system chooses."""
    thermal: Literal["cold", "sustained"] = "cold"
    runtime_version: str | None = None
    """None in a request: whatever version the device has. Known in every table and result."""
    accelerator: str = ""
    """What computes: one of ``shared.runtimes.ACCELERATORS``, or as an import's sender calls it, such as
    ``Adreno 640``; empty: what the runtime usually takes, or untold."""

    def __post_init__(self) -> None:
        for field, value, known in (
            ("runtime", self.runtime, RUNTIME_NAMES),
            ("dtype", self.dtype, DTYPES),
        ):
            if not _SHORT_NAME.fullmatch(value):
                raise ValueError(
                    f"{field} must be a name of 1 to 32 small letters, digits, '.', '_' and '-', got "
                    f"{value[:40]!a}; agents measure with {', '.join(known)}"
                )
        if self.accelerator and not _LABEL.fullmatch(self.accelerator):
            raise ValueError(
                "accelerator must be a label of 1 to 60 letters, digits, spaces and . _ + / -, got "
                f"{self.accelerator[:60]!a}"
            )
        if not 1 <= self.threads <= 256:
            raise ValueError(f"threads must lie in 1..256, got {self.threads}")
        if not 1 <= self.batch <= 1024:
            raise ValueError(f"batch must lie in 1..1024, got {self.batch}")
        if len(set(self.cores)) != len(self.cores) or any(core < 0 for core in self.cores):
            raise ValueError(f"cores must be different numbers of at least 0, got {self.cores}")

    def usual_unsaid(self) -> "Conditions":
        """Return the same conditions without the accelerator's name if it is the usual one anyway."""
        is_usual = self.accelerator == usual_accelerator(self.runtime)
        return replace(self, accelerator="") if is_usual else self

    @property
    def key(self) -> str:
        """Identity of these conditions without the runtime's version: 12 hex digits."""
        facts = asdict(replace(self, runtime_version=None))
        if not self.accelerator:
            del facts["accelerator"]  # keys from before this field stay what they were
        text = json.dumps(facts, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:12]

    def __str__(self) -> str:
        version = f" {self.runtime_version}" if self.runtime_version else ""
        cores = f", cores {','.join(map(str, self.cores))}" if self.cores else ""
        threads = f"{self.threads} thread{'s' if self.threads > 1 else ''}"
        accelerator = f" on {self.accelerator}" if self.accelerator else ""
        return (
            f"{self.runtime}{version}{accelerator}, {self.dtype}, batch {self.batch}, "
            f"{threads}{cores}, {self.thermal}"
        )


@dataclass(frozen=True, slots=True)
class Environment:
    """How a device was at one moment."""

    load_1m: float | None = None
    core_khz: tuple[int | None, ...] = ()
    """Current clock of each core in kHz."""
    governor: str | None = None
    temperature_c: float | None = None
    """The hottest readable sensor."""
    battery_percent: float | None = None
    is_charging: bool | None = None
    memory_available_bytes: int | None = None
