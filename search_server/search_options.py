"""What a search can be told: every option once, with default, limits and help; and the presets."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from search_server.option_field import complete, option

PathsName = Literal["soft", "one", "two", "none"]
MostName = Literal["macs", "params", "both"]
WeightsName = Literal["entangled", "separate"]
LossName = Literal["fbnet", "additive", "budget"]
LatencyUnit = Literal["us", "ms"]
CombineName = Literal["worst", "weighted"]
ThetaGradientName = Literal["leave_one_out", "effects", "straight_through"]
LatencyOfName = Literal["theta", "drawn"]
ShortlistName = Literal["decoded", "sampled"]
TrainingName = Literal["scratch", "inherit"]
DeliverName = Literal["fp32", "int8"]
CostUnit = Literal["us", "MACs", "parameters", "of the targets"]
Phase = Literal["warmup", "search"]
AcceleratorName = Literal["auto", "cpu", "cuda", "mps"]
PresetName = Literal["small-budget", "fbnet-paper"]

TAU_FLOOR = 0.05
"""Lowest temperature of the Gumbel softmax."""

PRESETS: Mapping[PresetName, Mapping[str, Any]] = {
    "small-budget": {},
    # FBNet, arXiv 1812.03443: equations 2, 7 and 8, sections 3.3 and 4.1.
    "fbnet-paper": {
        "loss": "fbnet",
        "alpha": 0.2,
        "beta": 0.6,
        "latency_of": "drawn",
        "shortlist": "sampled",
        "theta_share": 0.2,
        "weight_lr": 0.1,
        "weight_momentum": 0.9,
        "weight_decay": 1e-4,
        "paths": "soft",
        "weights": "separate",
        "epochs": 90,
        "warmup_epochs": 10,
        "batch_size": 192,
        "step_images": 192,
        "weight_clip": 0.0,
        "theta_lr": 0.01,
        "theta_decay": 5e-4,
        "theta_gradient": "straight_through",
        "theta_paths": 1,
        "tau_start": 5.0,
        "tau_decay": 0.045,
        "final_entropy": 1.0,
    },
}
"""What a preset has instead of the defaults, for options of a search and of a request for one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchOptions:
    """Everything that shapes a search but the space, the tables and the data.

    What is not given is that of the preset, else the default.

    Raises:
        ValueError: a value is out of its limits.
    """

    target_ms: float | None = option(None, "Latency that loss budget holds.", unit="ms", above=0)
    combine: CombineName = option(
        "worst", "Several devices: each within its target, or only the weighted mean of latency / target."
    )
    max_macs: int | None = option(
        None, "Most multiply-accumulates of a network for one image.", at_least=1, is_count=True
    )
    max_params: int | None = option(None, "Most parameters of a network.", at_least=1, is_count=True)
    preset: PresetName = option(
        "small-budget", "Where the values come from that are not given; fbnet-paper is FBNet's section 4.1."
    )
    loss: LossName = option(
        "budget",
        "budget holds the target, fbnet is CE * alpha * log(LAT)^beta as in the paper, and additive is "
        "CE + latency_weight * log(LAT).",
    )
    alpha: float = option(0.2, "Factor of loss fbnet.", above=0)
    beta: float = option(0.6, "Exponent of log(LAT) in loss fbnet.", at_least=0)
    latency_unit: LatencyUnit = option(
        "us", "Unit of LAT in loss fbnet, which bears on the result; the paper names none."
    )
    latency_of: LatencyOfName = option(
        "theta",
        "LAT in losses fbnet and additive: the mean under softmax(theta), or that of the factors that were "
        "drawn, as in the paper.",
    )
    latency_weight: float = option(0.1, "Weight of log(LAT) in loss additive.", at_least=0)
    paths: PathsName = option(
        "one",
        "Candidates that run in a layer in one step: all of them weighted, one, or two; none: no supernet "
        "is trained, and the network with the most compute within the limits is decoded from the table.",
    )
    most: MostName = option(
        "macs",
        "With paths none, what the network has most of: multiply-accumulates, parameters, or both as "
        "shares of the largest network's.",
    )
    theta_gradient: ThetaGradientName = option(
        "leave_one_out",
        "How theta learns where one candidate runs. leave_one_out: a gradient by score function, the loss "
        "of each path against the mean of the others on the same images. straight_through: a gradient "
        "through the factors of the path. effects, which is no gradient: theta is set to what each "
        "candidate adds to cross entropy, by regression over all draws so far. Paths two and soft go "
        "through factors always.",
        flags="--theta",
        older_flag="--theta-gradient",
    )
    weights: WeightsName = option(
        "entangled", "One super-kernel a layer, or separate weights for each candidate as in the paper."
    )
    epochs: int = option(20, "Epochs of the search.", at_least=1, at_most=10_000)
    warmup_epochs: int = option(4, "First epochs, which train weights only; below epochs.", at_least=0)
    step_images: int = option(
        16,
        "A batch trains weights in steps of so many images, each along paths of its own; give the batch "
        "size on a GPU.",
        unit="images",
        at_least=2,
        at_most=8192,
    )
    mixed_precision: bool = option(
        False,
        "Forward passes in bf16, for accelerators; most CPUs get slower.",
        flags="--mixed-precision/--fp32",
    )
    recomputes_branches: bool = option(
        False,
        "Compute branches again in the backward pass: with paths soft less than half the memory, half "
        "more time.",
        flags="--recompute/--no-recompute",
    )
    seed: int = option(0, "The same seed gives the same search, with the same number of threads.")

    weight_lr: float = option(
        0.1, "Rate of SGD for weights at the start of its cosine.", above=0, group="Advanced"
    )
    weight_momentum: float = option(
        0.9, "Momentum of SGD for weights.", at_least=0, at_most=1, group="Advanced"
    )
    weight_decay: float = option(1e-4, "Decay of weights.", at_least=0, group="Advanced")
    weight_clip: float = option(
        5.0, "Largest norm of the weights' gradient; 0 leaves it as it is.", at_least=0, group="Advanced"
    )
    theta_lr: float = option(
        0.1, "Rate of Adam for theta, where theta does not follow effects.", above=0, group="Advanced"
    )
    theta_decay: float = option(0.0, "Decay of theta under Adam.", at_least=0, group="Advanced")
    theta_paths: int | None = option(
        None,
        "Draws that a theta step averages over; left out: 8 with one path, 4 with two, 1 with all.",
        at_least=1,
        group="Advanced",
    )
    tau_start: float = option(
        3.0,
        "Temperature of the first epoch: tau_start * exp(-tau_decay * epoch).",
        above=0,
        group="Advanced",
    )
    tau_decay: float = option(0.12, "How fast the temperature falls.", at_least=0, group="Advanced")
    final_entropy: float = option(
        0.1,
        "Mean entropy of a layer at the end, as a share of log K; 1 lets theta end as it will.",
        above=0,
        at_most=1,
        group="Advanced",
    )
    channels_last: bool = option(
        True, "Hold images with their channels last, which most CPUs and GPUs like.", group="Advanced"
    )

    def __post_init__(self) -> None:
        complete(self, PRESETS.get(self.preset, {}))
        if self.warmup_epochs >= self.epochs:
            raise ValueError(
                f"warmup_epochs must lie in 0..{self.epochs - 1} (below epochs), got {self.warmup_epochs}"
            )
        if self.paths == "none" and self.loss != "budget":
            raise ValueError(
                f"paths 'none' takes the largest network within limits, and loss {self.loss!r} has none; "
                "use loss 'budget' with a target"
            )
        if self.compares_paths and self.num_theta_paths < 2:
            raise ValueError(
                f"theta_gradient {self.theta_gradient!r} compares paths, so theta_paths must be at least "
                f"2, got {self.num_theta_paths}"
            )

        if self.latency_of == "drawn" and self.loss != "budget" and self.compares_paths:
            raise ValueError(
                f"latency_of 'drawn' goes through the factors of paths, which theta_gradient "
                f"{self.theta_gradient!r} does not; use 'straight_through', or latency_of 'theta'"
            )

    def require_limits(self, targets_ms: Sequence[float | None]) -> None:
        """Check that the loss and the limits go together, given the target of each device.

        Raises:
            ValueError: loss ``budget`` lacks a target, or another loss is given limits that it cannot hold.
        """
        if self.loss == "budget" and None in targets_ms:
            raise ValueError("loss 'budget' needs target_ms; give a target, or use another loss")
        if self.loss != "budget" and (len(targets_ms) > 1 or self.max_macs or self.max_params):
            raise ValueError(
                f"loss {self.loss!r} holds no limits; several devices, max_macs and max_params need "
                "loss 'budget'"
            )

    @property
    def compares_paths(self) -> bool:
        """Whether theta learns from the losses of whole paths, not through their factors."""
        return self.paths == "one" and self.theta_gradient != "straight_through"

    @property
    def num_theta_paths(self) -> int:
        """Draws that a theta step averages over: fewer where a draw costs more and varies less."""
        return self.theta_paths or {"one": 8, "two": 4, "soft": 1, "none": 1}[self.paths]

    def tau(self, epoch: int) -> float:
        """Return the temperature of an epoch, at least ``TAU_FLOOR``."""
        return max(TAU_FLOOR, self.tau_start * math.exp(-self.tau_decay * epoch))

    def entropy_limit(self, progress: float) -> float:
        """Return the share of log K that the mean entropy may have.

        Args:
            progress: 0 at the end of the warm-up, 1 at the end of the search.
        """
        return 1.0 + (self.final_entropy - 1.0) * min(1.0, progress)
