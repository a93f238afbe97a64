"""Networks as fast as a target, to compare a search with: random ones, and hand-made ones brought to it.

Hand-made are uniform networks, and MobileNetV2's pattern (first block without expansion, then ``k3_e6``).
They reach the target in both usual ways: *width* (all channels times a factor, in multiples of 8, then as
few layers left out as it takes), and *depth* (layers of the space's own width left out). Variants are
measured, not predicted: other widths have no table.

Shape letters: S draws, L layers, K candidates.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from benchmarks.trials import BAND, Network
from search_server.latency.table import LatencyTable
from shared.search_space import SearchSpace, search_space

FAMILIES = {
    "k3_e6": (None, "k3_e6"),
    "k5_e6": (None, "k5_e6"),
    "mobilenetv2": ("k3_e1", "k3_e6"),
}
"""First block, where it differs, and the others."""
WIDTH_FACTORS = (0.375, 0.5, 0.625, 0.75, 0.875)


@dataclass(frozen=True, slots=True)
class Variant:
    """One way to bring a hand-made network to a target."""

    family: str
    how: str
    num_left_out: int
    network: Network


def random_networks(table: LatencyTable, target_us: float, number: int, seed: int) -> list[Network]:
    """Return random networks whose predicted latency lies within twice ``BAND`` of a target.

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
            for choices_L in choices_SL[np.abs(predicted_us_S / target_us - 1) <= 2 * BAND]
        ]
    return found[:number]


def hand_made_variants(space_name: str) -> Iterator[Variant]:
    """Yield every family at every width and depth."""
    space = search_space(space_name)
    for family, (first, block) in FAMILIES.items():
        blocks = [first or block] + [block] * (space.num_layers - 1)
        for num_left_out, thinned in enumerate(_thinned(space, blocks)):
            text = ",".join(thinned)
            yield Variant(family, "depth", num_left_out, Network(space.name, text))
            for narrower in _narrower(space):
                yield Variant(family, "width", num_left_out, Network(narrower, text))


def equally_fast(
    variants: list[Variant], latency_us: dict[Network, float], target_us: float
) -> dict[str, Network]:
    """Return by name, for each family and way, the variant within ``BAND`` that lacks the fewest layers.

    A way that has none is left out.
    """
    chosen: dict[str, Network] = {}
    for family, how in dict.fromkeys((variant.family, variant.how) for variant in variants):
        near = [
            variant
            for variant in variants
            if (variant.family, variant.how) == (family, how)
            and abs(latency_us[variant.network] / target_us - 1) <= BAND
        ]
        if near:
            best = min(near, key=lambda v: (v.num_left_out, abs(latency_us[v.network] / target_us - 1)))
            chosen[f"{family}, {how}"] = best.network
    return chosen


def _narrower(space: SearchSpace) -> Iterator[str]:
    """Yield the names of the space at each smaller width that gives channels of its own."""
    name, _, text = space.name.partition(":")
    overrides = dict(part.split("=") for part in filter(None, text.split(",")))
    width = float(overrides.pop("width", 1.0))
    others = [f"{key}={value}" for key, value in overrides.items()]
    seen = {(space.stem_channels, space.stages)}
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
