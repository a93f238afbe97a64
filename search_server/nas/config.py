"""What a search can be told, and the presets: the paper's values, and cheap ones for small budgets."""

import math
from dataclasses import dataclass, replace
from typing import Any, get_args

from search_server.search_options import (
    TAU_FLOOR,
    CombineName,
    LossName,
    PathsName,
    ThetaGradientName,
    UnitName,
    WeightsName,
)


@dataclass(frozen=True, slots=True)
class SearchConfig:
    """Everything that shapes a search but the space, the table and the data.

    The defaults are the preset ``small-budget``.
    """

    paths: PathsName = "one"
    """Candidates that run in a layer: all, one, or two."""
    weights: WeightsName = "entangled"
    loss: LossName = "budget"
    target_us: float | tuple[float, ...] | None = None
    """The latency that loss ``budget`` holds; with several tables, one for each."""
    latency_sigmas: float = 0.0
    """Standard errors that the search puts on top of each latency: ``cautious_table.py``."""
    combine: CombineName = "worst"
    """Several tables: each within its target, or only the weighted mean of latency / target."""
    table_weights: tuple[float, ...] | None = None
    """Of ``combine="weighted"``; None: all alike."""
    max_macs: float | None = None
    """Most multiply-accumulates of a network, for one image."""
    max_params: float | None = None
    alpha: float = 0.2
    beta: float = 0.6
    latency_unit: UnitName = "us"
    """Of LAT in the paper's loss."""
    latency_weight: float = 0.1
    """Of log(LAT) in loss ``additive``."""
    epochs: int = 20
    warmup_epochs: int = 4
    """The first epochs train weights only."""
    weight_lr: float = 0.1
    weight_momentum: float = 0.9
    weight_decay: float = 1e-4
    weight_clip: float = 5.0
    """Largest norm of the weights' gradient."""
    step_images: int | None = 16
    """Images of one step of weights: a batch is taken in parts of that size, each along a draw of its own,
    since what a small budget lacks is draws, not images. None: whole batches."""
    theta_lr: float = 0.1
    theta_decay: float = 0.0
    theta_gradient: ThetaGradientName = "effects"
    """How cross entropy reaches theta where one candidate runs: by what each candidate adds to it,
    estimated from all paths drawn so far (forward passes only), or through the factors of the path. With
    ``effects`` and loss ``budget`` theta follows them on the schedule of entropy, without ``theta_lr``."""
    theta_paths: int | None = None
    """Draws that a theta step averages over; None: 8 with one path, 4 with two, 1 with all candidates."""
    tau_start: float = 3.0
    tau_decay: float = 0.12
    """tau = tau_start * exp(-tau_decay * epoch)."""
    final_entropy: float | None = 0.1
    """Mean entropy of a layer at the end, as a share of log K; None: whatever comes out."""
    channels_last: bool = True
    mixed_precision: bool = False
    """Forward passes under bf16 autocast: ``accelerator.py``."""
    recomputes_branches: bool = False
    """Activation checkpointing: with all candidates less than half the memory, half more time."""
    seed: int = 0

    def __post_init__(self) -> None:
        _require_choice("paths", self.paths, PathsName)
        _require_choice("weights", self.weights, WeightsName)
        _require_choice("loss", self.loss, LossName)
        _require_choice("theta_gradient", self.theta_gradient, ThetaGradientName)
        if self.loss == "budget" and self.target_us is None:
            raise ValueError("loss 'budget' needs target_us; give a target, or use loss 'fbnet'")
        self._check_limits()
        if not 0 <= self.warmup_epochs < self.epochs:
            raise ValueError(
                f"warmup_epochs must lie in 0..{self.epochs - 1} (below epochs), got {self.warmup_epochs}"
            )
        if self.theta_gradient == "effects" and self.paths == "one" and self.num_theta_paths < 2:
            raise ValueError(
                f"theta_gradient 'effects' compares paths, so theta_paths must be at least 2, "
                f"got {self.num_theta_paths}"
            )
        for name in ("weight_lr", "theta_lr", "tau_start", "weight_clip", "alpha"):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name} must be above 0, got {getattr(self, name)}")
        for name in ("beta", "latency_weight"):
            if not getattr(self, name) >= 0:
                raise ValueError(f"{name} must be at least 0, got {getattr(self, name)}")
        if self.step_images is not None and self.step_images < 2:
            raise ValueError(f"step_images must be at least 2, got {self.step_images}")
        if self.num_theta_paths < 1:
            raise ValueError(f"theta_paths must be at least 1, got {self.theta_paths}")
        if self.final_entropy is not None and not 0 < self.final_entropy <= 1:
            raise ValueError(f"final_entropy must lie in 0..1 (above 0), got {self.final_entropy}")

    def _check_limits(self) -> None:
        _require_choice("combine", self.combine, CombineName)
        if any(not target_us > 0 for target_us in self.targets_us):
            raise ValueError(f"target_us must be above 0, got {self.target_us}")
        if not 0 <= self.latency_sigmas <= 5:
            raise ValueError(f"latency_sigmas must lie in 0..5, got {self.latency_sigmas:g}")
        if self.table_weights is not None and (
            len(self.table_weights) != len(self.targets_us) or min(self.table_weights) <= 0
        ):
            raise ValueError(
                f"table_weights must be {len(self.targets_us)} numbers above 0, one for each target, "
                f"got {self.table_weights}"
            )
        for name in ("max_macs", "max_params"):
            limit = getattr(self, name)
            if limit is not None and not limit > 0:
                raise ValueError(f"{name} must be above 0, got {limit:g}")
        holds_several = len(self.targets_us) > 1 or self.max_macs is not None or self.max_params is not None
        if holds_several and self.loss != "budget":
            raise ValueError(
                f"loss {self.loss!r} holds no limits; several tables or max_* need loss 'budget'"
            )

    @property
    def targets_us(self) -> tuple[float, ...]:
        """``target_us`` as a tuple, empty without one."""
        if self.target_us is None:
            return ()
        return self.target_us if isinstance(self.target_us, tuple) else (self.target_us,)

    @property
    def num_theta_paths(self) -> int:
        """Draws that a theta step averages over: fewer where a draw costs more and varies less."""
        if self.theta_paths is not None:
            return self.theta_paths
        return {"one": 8, "two": 4, "soft": 1}[self.paths]

    def tau(self, epoch: int) -> float:
        """Return the temperature of an epoch, at least ``TAU_FLOOR``."""
        return max(TAU_FLOOR, self.tau_start * math.exp(-self.tau_decay * epoch))

    def entropy_limit(self, progress: float) -> float:
        """Return the share of log K that the mean entropy may have.

        Args:
            progress: 0 at the end of the warm-up, 1 at the end of the search.
        """
        if self.final_entropy is None:
            return 1.0
        return 1.0 + (self.final_entropy - 1.0) * min(1.0, progress)


_PRESETS: dict[str, dict[str, Any]] = {
    "small-budget": {},
    "fbnet-paper": {
        "paths": "soft",
        "weights": "separate",
        "loss": "fbnet",
        "epochs": 90,
        "warmup_epochs": 10,
        "weight_lr": 0.1,
        "weight_clip": math.inf,
        "step_images": 192,
        "theta_lr": 0.01,
        "theta_decay": 5e-4,
        "theta_gradient": "straight_through",
        "theta_paths": 1,
        "tau_start": 5.0,
        "tau_decay": 0.045,
        "final_entropy": None,
    },
}

PRESET_NAMES: tuple[str, ...] = tuple(_PRESETS)


def search_config(preset: str = "small-budget", **changes: Any) -> SearchConfig:
    """Return a preset's configuration with some values changed.

    ``fbnet-paper`` (FBNet, arXiv 1812.03443, section 4.1): 90 epochs, 10 of warm-up, all candidates
    weighted, separate weights, tau 5.0 * exp(-0.045 epoch), SGD 0.1 cosine for weights, Adam 0.01 with
    decay 5e-4 for theta; use it with a batch size of 192.

    Raises:
        ValueError: there is no such preset, or a value is out of range.
    """
    if preset not in _PRESETS:
        raise ValueError(f"unknown preset {preset!r}; the presets are {', '.join(PRESET_NAMES)}")
    target = changes.get("target_us")
    loss = changes.get("loss", _PRESETS[preset].get("loss", "budget"))
    values = {**_PRESETS[preset], **changes, "loss": loss, "target_us": target}
    return replace(SearchConfig(loss="fbnet"), **values)


def _require_choice(name: str, value: str, choices: Any) -> None:
    if value not in get_args(choices):
        raise ValueError(f"{name} must be one of {', '.join(get_args(choices))}, got {value!r}")
