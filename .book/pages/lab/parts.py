"""The parts of the estimator, each left out or made simpler by itself."""

from dataclasses import dataclass, replace

from search_server.latency.estimate.assumptions import USUAL, Assumptions
from search_server.latency.estimate.fit import Gathered
from search_server.latency.estimate.observations import Observations


@dataclass(frozen=True, slots=True)
class Part:
    """A change of the estimator: what it assumes, what it hears of, how its tables are read."""

    assumptions: Assumptions = USUAL
    hears_families: bool = True
    hears_between_nodes: bool = True
    """What a profiled run takes between two nodes."""
    is_sum: bool = False
    """Networks are predicted as a search adds them up, not as a table predicts them."""

    def heard(self, gathered: Gathered) -> Gathered:
        """Return of what was measured what the changed estimator hears."""
        one, other = gathered.halves
        halves = (self._heard(one), self._heard(other))
        return replace(gathered, whole=self._heard(gathered.whole), halves=halves)

    def _heard(self, observations: Observations) -> Observations:
        profile, networks = observations.profile, observations.networks
        if not self.hears_between_nodes:
            profile = replace(profile, between_nodes_us=None)
        if not self.hears_families:
            networks = tuple(network for network in networks if not network.is_kin)
        return Observations(profile, networks)


FULL = "full"
PARTS = {
    FULL: Part(),
    "without layouts": Part(replace(USUAL, channel_blocks=())),
    "node cost .68 of between": Part(replace(USUAL, num_wide_costs=0, likely_cost_steps=(0.0,))),
    "without the offset of kin": Part(replace(USUAL, kin_sigma=0.0)),
    "families not in the fit": Part(hears_families=False),
    "channel blocks of 8": Part(replace(USUAL, channel_blocks=(8,))),
    "channel blocks of 16": Part(replace(USUAL, channel_blocks=(16,))),
    "channel blocks of 4, 8, 16": Part(replace(USUAL, channel_blocks=(4, 8, 16))),
    "node costs, every 2nd": Part(replace(USUAL, num_wide_costs=15)),
    "without the time between": Part(hears_between_nodes=False),
    "scale 1": Part(replace(USUAL, correction_scales=(1.0,))),
    "network_sigma .012": Part(replace(USUAL, network_sigmas=(0.012,))),
    "sums over layers": Part(is_sum=True),
}
"""By name; ``FULL`` changes nothing."""
