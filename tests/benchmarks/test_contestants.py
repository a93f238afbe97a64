"""Hand-made networks are brought to the target by width, and by leaving out as few layers as it takes."""

from benchmarks.contestants import Variant, equally_fast, hand_made_variants, most_families
from benchmarks.trials import Network
from shared.search_space import search_space
from tests.search_server.tables import known_table

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
    assert chosen == {"k3_e6": networks[1:]}


def test_each_space_has_its_own_hand_made_networks_and_rivals_come_from_another() -> None:
    rival = Network("fbnet-tiny", ",".join(["k5_e1", *["k3_e3"] * 12]))
    variants = list(hand_made_variants("mobilenetv4-tiny", {"found": rival}))
    names = {variant.family for variant in variants}
    assert {"mobilenetv4", "d3_e4", "found"} <= names
    assert "k3_e6" not in names
    for variant in variants:
        home = "fbnet-tiny" if variant.family == "found" else "mobilenetv4-tiny"
        assert variant.network.space.partition(":")[0] == home
        assert len(variant.network.architecture().blocks) == search_space(home).num_layers
    full = next(v.network for v in variants if (v.family, v.num_left_out) == ("mobilenetv4", 0))
    assert {v.family for v in hand_made_variants("mobilenetv3-tiny")} == {"k3_e6", "k5_e6", "k5_e4"}
    assert list(hand_made_variants("channels-tiny")) == []  # none is known for it
    # Eleven of the twelve layers of MobileNetV4-Conv-S: its first stage has one k3_e2 less.
    assert full.blocks.count("k3_e2") == 3


def test_the_largest_networks_within_a_target_come_from_the_table_alone() -> None:
    table = known_table("pixel", SPACE)
    fastest_us, slowest_us = table.latency_range_us()
    target_us = (fastest_us + slowest_us) / 2
    families = most_families(table, target_us)
    firsts = {name: networks[0].architecture() for name, networks in families.items()}
    for network in firsts.values():
        assert table.predict_us(network) <= target_us * (1 + 1e-9)
    macs = {name: network.workload().macs for name, network in firsts.items()}
    params = {name: network.workload().num_params for name, network in firsts.items()}
    assert macs["most MACs"] == max(macs.values())
    assert params["most parameters"] == max(params.values())
