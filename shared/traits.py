"""Traits: what a block has besides its convolutions, by itself or from its stage."""

from dataclasses import dataclass
from typing import Literal, get_args

from shared.operators import Activation, HSwish, ReLU, ReLU6

ActivationName = Literal["relu", "relu6", "hswish"]
"""What follows the convolutions of a block but its last."""
ACTIVATIONS: dict[str, ActivationName] = {"r6": "relu6", "hs": "hswish"}
"""Endings of names, for all but ReLU."""
_OPERATORS: dict[ActivationName, Activation] = {"relu": ReLU(), "relu6": ReLU6(), "hswish": HSwish()}


def activation(name: ActivationName) -> Activation:
    """Return the operator of an activation's name.

    Raises:
        ValueError: there is no such activation.
    """
    if name not in _OPERATORS:
        raise ValueError(f"an activation is {', '.join(get_args(ActivationName))}, got {name!r}")
    return _OPERATORS[name]


@dataclass(frozen=True, slots=True)
class Traits:
    """What a stage gives to all of its blocks; a block may have all but channels to choose by itself."""

    has_squeeze: bool = False
    """Squeeze-and-excite before the last convolution."""
    activation: ActivationName = "relu"
    inner_channels: tuple[int, ...] = ()
    """What blocks may choose between their 1x1 convolutions, the fewest first; a stage alone offers it."""

    @property
    def suffix(self) -> str:
        """What they add to a name, such as ``_se_hs`` or ``_c64.96_hs``; empty for none."""
        inner = f"_c{'.'.join(map(str, self.inner_channels))}" if self.inner_channels else ""
        ending = next((key for key, name in ACTIVATIONS.items() if name == self.activation), "")
        return inner + ("_se" if self.has_squeeze else "") + (f"_{ending}" if ending else "")

    def joined(self, other: "Traits") -> "Traits":
        """Return the traits of both; of two activations that of the other, unless it is ReLU."""
        name = self.activation if other.activation == "relu" else other.activation
        inner_channels = self.inner_channels or other.inner_channels
        return Traits(self.has_squeeze or other.has_squeeze, name, inner_channels)


NO_TRAITS = Traits()
