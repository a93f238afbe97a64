"""Networks as fast as a target, to compare a search with: random ones, and hand-made ones brought to it.

Hand-made are uniform networks and a published pattern: MobileNetV2's (first block without expansion, then
``k3_e6``), or that of MobileNetV4-Conv-S. Rivals are networks of another space, found by another search.
Both reach the target by width (all channels times a factor, in multiples of 8), and then by as few layers
left out as it takes. Variants are measured, not predicted: other widths have no table.

The largest networks within the target are what a table gives without any search.

Shape letters: S draws, L layers, K candidates.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from types import MappingProxyType

import numpy as np

from benchmarks.trials import BAND, Network
from search_server.latency.table import LatencyTable
from search_server.nas.budget.caps import latency_cap
from search_server.nas.budget.latency_model import LatencyModel
from search_server.nas.choosing.most import most_network
from search_server.search_options import MostName
from shared.search_space import SearchSpace, search_space

FAMILIES = {
    "k3_e6": "k3_e6",
    "k5_e6": "k5_e6",
    "mobilenetv2": "k3_e1,k3_e6",
    "k3_e2": "k3_e2",
    "k5_e4": "k5_e4",
    "d3_k3_e4": "d3_k3_e4",
    "d3_e4": "d3_e4",
    "mobilenetv4": "d5_k5_e3,k3_e2,k3_e2,k3_e2,d3_e4,d3_k3_e6,d5_k5_e4,k5_e4,k5_e3,k3_e4,k3_e4",
}
"""Blocks of hand-made networks, for spaces that have them; the last one stands in all further layers."""
MOST: dict[str, MostName] = {"most MACs": "macs", "most parameters": "params", "most of both": "both"}
MOST_SHARES = (1.0, 0.985, 1.015)
WIDTH_FACTORS = (0.375, 0.5, 0.625, 0.75, 0.875, 1.0)
MAX_LEFT_OUT = 6


@dataclass(frozen=True, slots=True)
class Variant:
    """One way to bring a hand-made network to a target."""

    family: str
    num_left_out: int
    network: Network


def random_networks(table: LatencyTable, target_us: float, number: int, seed: int) -> list[Network]:
    """Return random networks whose predicted latency lies within ``BAND`` of a target.

    They are drawn uniformly from the space, and all others are thrown away.
    """
    space = table.search_space
    latency_us_LK = np.array(table.latency_us_LK())
    generator = np.random.default_rng(seed)
    layers_L = np.arange(space.num_layers)
    found: list[Network] = []
    while len(found) < number:
        choices_SL = generator.integers(len(space.candidates), size=(1000, space.num_layers))
        predicted_us_S = table.fixed_us + latency_us_LK[layers_L, choices_SL].sum(1)
        found += [
            Network(space.name, ",".join(space.candidates[k] for k in choices_L))
            for choices_L in choices_SL[np.abs(predicted_us_S / target_us - 1) <= BAND]
        ]
    return found[:number]


def hand_made_variants(
    space_name: str, rivals: Mapping[str, Network] = MappingProxyType({})
) -> Iterator[Variant]:
    """Yield every family of a space, and every rival by its name, at every width and depth."""
    space = search_space(space_name)
    networks = {
        name: Network(space.name, blocks)
        for name, blocks in FAMILIES.items()
        if {*blocks.split(",")} <= {*space.candidates}
    } | {**rivals}
    for family, network in networks.items():
        space = search_space(network.space)
        blocks = network.blocks.split(",")
        blocks += blocks[-1:] * (space.num_layers - len(blocks))
        for num_left_out, thinned in enumerate(islice(_thinned(space, blocks), MAX_LEFT_OUT + 1)):
            for width in _widths(space):
                yield Variant(family, num_left_out, Network(width, ",".join(thinned)))


def most_families(table: LatencyTable, target_us: float) -> dict[str, list[Network]]:
    """Return the largest networks within a target, by multiply-accumulates, parameters and both.

    Decoded from the table alone. As many as a shortlist needs to hold one that measures as the target
    says: within the target, and within a little more or less of it.
    """
    space = table.search_space
    latency = LatencyModel(table, space.num_layers, len(space.candidates))
    cap = latency_cap("latency", latency, target_us)
    return {
        name: [
            Network(space.name, str(most_network(space, [cap.with_limit(share * target_us)], most)))
            for share in MOST_SHARES
        ]
        for name, most in MOST.items()
    }


def equally_fast(
    variants: Iterable[Variant], latency_us: dict[Network, float], target_us: float, band: float = BAND
) -> dict[str, list[Network]]:
    """Return for each family the variants within a band, those that lack the fewest layers first."""

    def distance(variant: Variant) -> float:
        return abs(latency_us[variant.network] / target_us - 1)

    chosen: dict[str, list[Network]] = defaultdict(list)
    for variant in sorted(variants, key=lambda each: (each.num_left_out, distance(each))):
        if distance(variant) <= band:
            chosen[variant.family].append(variant.network)
    return dict(chosen)


def _widths(space: SearchSpace) -> Iterator[str]:
    """Yield the names of the space at each width that gives channels of its own."""
    name, _, text = space.name.partition(":")
    overrides = dict(part.split("=") for part in filter(None, text.split(",")))
    width = float(overrides.pop("width", 1.0))
    others = [f"{key}={value}" for key, value in overrides.items()]
    seen = set()
    for factor in WIDTH_FACTORS:
        narrower = search_space(f"{name}:" + ",".join([f"width={width * factor:g}", *others]))
        channels = (narrower.stem_channels, narrower.stages)
        if channels not in seen:
            seen.add(channels)
            yield narrower.name


def _thinned(space: SearchSpace, blocks: list[str]) -> Iterator[list[str]]:
    """Yield a network with none, one, two ... layers left out: always the last of the longest stage."""
    blocks = list(blocks)
    left = [stage.num_layers for stage in space.stages]
    firsts = np.cumsum([0, *left])
    yield list(blocks)
    while max(left) > 1:
        stage = max(range(len(left)), key=lambda index: (left[index], index))
        left[stage] -= 1
        blocks[firsts[stage] + left[stage]] = "skip"
        yield list(blocks)
