"""What a search can be told: the names of its choices."""

from typing import Literal

PathsName = Literal["soft", "one", "two"]
"""Candidates that run in a layer: all weighted, one, or two."""
WeightsName = Literal["entangled", "separate"]
"""One super-kernel a layer, or weights of its own for each candidate."""
LossName = Literal["fbnet", "additive", "budget"]
UnitName = Literal["us", "ms"]
CombineName = Literal["worst", "weighted"]
"""Several devices: each within its target, or only the weighted mean of latency / target."""
ThetaGradientName = Literal["effects", "straight_through"]
TrainingName = Literal["scratch", "inherit"]

TAU_FLOOR = 0.05
"""Lowest temperature of the Gumbel softmax."""
