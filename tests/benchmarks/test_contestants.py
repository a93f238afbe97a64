"""Hand-made networks are brought to the target by width, and by leaving out as few layers as it takes."""

from benchmarks.contestants import Variant, equally_fast, hand_made_variants
from benchmarks.trials import Network
from shared.search_space import search_space

SPACE = "fbnet-tiny:width=0.5,resolution=16"


def test_each_family_comes_at_every_width() -> None:
    variants = list(hand_made_variants(SPACE))
    widths = {search_space(v.network.space).stages for v in variants if v.family == "k3_e6"}
    assert len(widths) == len({v.network.space for v in variants if v.family == "k3_e6"}) > 2
    assert all("resolution=16" in variant.network.space for variant in variants)
    for variant in variants:
        assert len(variant.network.architecture().blocks) == 13
    blocks = next(
        v.network.blocks.split(",") for v in variants if (v.family, v.num_left_out) == ("mobilenetv2", 2)
    )
    assert blocks[:2] == ["k3_e1", "k3_e6"]
    assert [index for index, block in enumerate(blocks) if block == "skip"] == [7, 11]


def test_variants_that_lack_the_fewest_layers_come_first() -> None:
    networks = [Network(SPACE, name) for name in ("a", "b", "c")]
    variants = [Variant("k3_e6", num, network) for num, network in enumerate(networks)]
    latency_us = dict(zip(networks, (104.0, 98.0, 100.0), strict=True))
    chosen = equally_fast(reversed(variants), latency_us, 100.0)
    assert chosen == {"k3_e6": networks[1:], "k5_e6": [], "mobilenetv2": []}
