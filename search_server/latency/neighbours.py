"""What a network takes beyond the sum of its entries, because of which blocks stand together.

Blocks of unlike memory layouts cost each other copies (``layouts.py``). And a network of one candidate
throughout is a few percent faster than any sum that suits the others; why is not known.

Shape letters: L layers, K candidates.
"""

from dataclasses import dataclass, replace

import numpy as np

from search_server.latency.layouts import Array, layout_changes
from shared.architecture import Architecture
from shared.macro_architecture import SearchSpace


@dataclass(frozen=True, slots=True)
class LayoutCost:
    """What changes of memory layout cost, for one size of channel blocks."""

    channel_block: int
    """Channels that lie side by side in the blocked layout."""
    latency_units: float
    """Of each change above their mean over the space, in units of the anchor."""


@dataclass(frozen=True, slots=True)
class Neighbours:
    """How neighbours change what entries add up to."""

    layout_costs: tuple[LayoutCost, ...] = ()
    sameness_effect: float = 0.0
    """What a network of one candidate throughout takes besides, as a share; usually below 0."""

    def network_units(self, sum_units: float, architecture: Architecture) -> float:
        """Return the latency of a network whose entries add up to ``sum_units``, in units of the anchor."""
        workload = architecture.workload()
        layouts = sum(
            cost.latency_units * layout_changes(architecture.space, cost.channel_block).surplus(workload)
            for cost in self.layout_costs
        )
        return (sum_units + layouts) * (1 + self.sameness_effect * sameness(architecture))

    def usual_units_LK(self, space: SearchSpace) -> Array:
        """Return what changes of layout usually add to each candidate, ``(L, K)``, in units of the anchor.

        The mean of each layer is 0.

        Sameness adds nothing: it says nothing of a candidate alone.
        """
        usual_LK = np.zeros((space.num_layers, len(space.candidates)))
        for cost in self.layout_costs:
            usual_LK += cost.latency_units * layout_changes(space, cost.channel_block).usual_LK
        return usual_LK

    def scaled(self, factor: float) -> "Neighbours":
        """Return the same for a table whose entries are multiplied by a factor."""
        costs = (replace(cost, latency_units=factor * cost.latency_units) for cost in self.layout_costs)
        return replace(self, layout_costs=tuple(costs))


def sameness(architecture: Architecture) -> float:
    """Return 1 for a network of one candidate throughout, 0 for one as mixed as random ones in the mean.

    It is the probability that two layers, drawn with replacement, have the same candidate, taken linearly.
    """
    num_layers, num_candidates = len(architecture.blocks), len(architecture.space.candidates)
    of_random = 1 / num_candidates + (1 - 1 / num_candidates) / num_layers
    if of_random == 1:
        return 0.0  # there are no others
    shares = (architecture.blocks.count(block) / num_layers for block in set(architecture.blocks))
    return (sum(share**2 for share in shares) - of_random) / (1 - of_random)
