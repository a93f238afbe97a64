"""Hand-made networks are brought to the target by width or depth, and only by as much as it takes."""

import pytest

from benchmarks.contestants import Variant, equally_fast, hand_made_variants
from benchmarks.trials import Network
from shared.search_space import search_space

SPACE = "fbnet-tiny:width=0.5,resolution=16"


def test_each_family_comes_at_every_width_and_depth() -> None:
    variants = list(hand_made_variants(SPACE))
    widths = {search_space(v.network.space).stages for v in variants if v.family == "k3_e6"}
    assert len(widths) == len({v.network.space for v in variants if v.family == "k3_e6"}) > 2
    assert all("resolution=16" in variant.network.space for variant in variants)
    (mobile,) = (
        v.network.blocks
        for v in variants
        if (v.family, v.how, v.num_left_out) == ("mobilenetv2", "depth", 2)
    )
    blocks = mobile.split(",")
    assert blocks[:2] == ["k3_e1", "k3_e6"]
    assert [index for index, block in enumerate(blocks) if block == "skip"] == [7, 11]


def test_the_variant_that_lacks_the_fewest_layers_is_chosen() -> None:
    networks = [Network(SPACE, name) for name in ("a", "b", "c")]
    variants = [Variant("k3_e6", "width", num, network) for num, network in enumerate(networks)]
    latency_us = dict(zip(networks, (104.0, 98.0, 100.0), strict=True))
    assert equally_fast(variants, latency_us, 100.0) == {"k3_e6, width": networks[1]}
    assert equally_fast(variants, latency_us, 50.0) == {}


@pytest.mark.parametrize("spec", ["fbnet-tiny", "fbnet-cifar:width=0.25"])
def test_variants_are_networks_of_their_spaces(spec: str) -> None:
    for variant in hand_made_variants(spec):
        variant.network.architecture()
