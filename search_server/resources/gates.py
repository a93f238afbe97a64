"""Gates: is a new model slower than an old one, and what came of asking."""

from dataclasses import dataclass
from typing import Literal

from search_server.resources.jobs import Job
from shared.protocol.device import Conditions
from shared.protocol.measurement import ModelInput

GateOutcome = Literal["passed", "slower", "undecided"]


@dataclass(frozen=True, slots=True)
class GateCreate:
    """Is a new model slower than an old one on a device?"""

    device: str
    new: str
    """Name or id of a model."""
    old: str
    fail_above: float = 0.02
    """How much slower the new one may be: 0.02 is 2 %."""
    conditions: Conditions = Conditions()
    inputs: tuple[ModelInput, ...] = ()
    """Shapes of open sizes, for both models."""
    private: bool = False
    """Only you and administrators find the job."""
    accept_noise: bool = False
    """Take a slow or restless device as it is; the verdict's note says so."""

    def __post_init__(self) -> None:
        # The usual accelerator by its name is the same as none.
        object.__setattr__(self, "conditions", self.conditions.usual_unsaid())
        if not 0 <= self.fail_above <= 10:
            raise ValueError(f"fail_above must lie in 0..10, got {self.fail_above}; 0.02 is 2 %")


@dataclass(frozen=True, slots=True)
class GateVerdict:
    """What a gate found; see ``search_server/profiling/conclude_gate.py`` for the rule."""

    outcome: GateOutcome
    ratio: float
    """New over old: 1.02 is 2 % slower."""
    low: float
    high: float
    """The new model is slower than ``low`` with 95 % confidence, and faster than ``high`` with as much."""
    window_ratios: tuple[float, ...]
    """Of each window, which is a process of its own."""
    old_us: float
    new_us: float
    """Median wall times as they were."""
    note: str = ""
    """What a reader should know, such as that noise was accepted."""


@dataclass(frozen=True, slots=True)
class Gate:
    """A job that compares two models, and what came of it."""

    job: Job
    new: str
    old: str
    fail_above: float
    verdict: GateVerdict | None = None
