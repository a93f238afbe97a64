"""Networks of a finished search for other targets and devices: what can be asked for."""

from dataclasses import dataclass
from typing import Literal

from search_server.resources.jobs import require_job_name
from search_server.resources.searches import MAX_POINTS
from shared.protocol.device import Conditions

AfterTraining = Literal["none", "scratch", "inherit"]
"""How decoded networks are trained: not at all, from fresh weights, or from those of the supernet."""


@dataclass(frozen=True, slots=True)
class FrontCreate:
    """Decode networks over a range of targets from what a finished search has learnt, and measure them."""

    devices: tuple[str, ...] = ()
    """Names or ids; each with every accepted table that it has of the space. None named: all devices."""
    points: int = 8
    """Targets on each device, evenly by their ratio from fast networks to the best one."""
    training: AfterTraining = "none"
    train_epochs: int | None = None
    """None: those of the search."""
    name: str = ""
    """What people call it."""
    private: bool = False
    """Only you and administrators find it; so it is anyway if the search or a table is private."""

    def __post_init__(self) -> None:
        require_job_name(self.name)
        if not 2 <= self.points <= MAX_POINTS:
            raise ValueError(f"points must lie in 2..{MAX_POINTS}, got {self.points}")
        _check_epochs(self.train_epochs)


@dataclass(frozen=True, slots=True)
class RetargetCreate:
    """Decode one network for another target or device from what a finished search has learnt."""

    target_ms: float
    device: str | None = None
    """None: that of the search."""
    conditions: Conditions | None = None
    """Of the table; None: those of the search, else of the device's newest table of the space."""
    training: AfterTraining = "none"
    train_epochs: int | None = None
    """None: those of the search."""
    name: str = ""
    """What people call it."""
    private: bool = False
    """Only you and administrators find it; so it is anyway if the search or the table is private."""

    def __post_init__(self) -> None:
        require_job_name(self.name)
        if not self.target_ms > 0:
            raise ValueError(f"target_ms must be above 0, got {self.target_ms:g}")
        _check_epochs(self.train_epochs)


def _check_epochs(train_epochs: int | None) -> None:
    if train_epochs is not None and train_epochs < 1:
        raise ValueError(
            f"train_epochs must be at least 1, got {train_epochs}; training 'none' trains nothing"
        )
