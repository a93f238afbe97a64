"""The places of a space's segments, worked out by hand for a small space."""

from shared.search_space import search_space
from shared.workload import Workload

SPACE = search_space(
    "my-space:resolution=31,classes=10,stem=16s2,stages=24x1s1-32x2s2,head=384,blocks=k3_e1-skip"
)


def test_segments_yields_stem_each_layer_with_each_candidate_and_head() -> None:
    places = [(each.segment.name, each.block, each.input_shape) for each in SPACE.segments()]
    assert places == [
        ("stem", "", (3, 31, 31)),
        ("layer01", "k3_e1", (16, 16, 16)),
        ("layer01", "skip", (16, 16, 16)),
        ("layer02", "k3_e1", (24, 16, 16)),
        ("layer02", "skip", (24, 16, 16)),
        ("layer03", "k3_e1", (32, 8, 8)),
        ("layer03", "skip", (32, 8, 8)),
        ("head", "", (32, 8, 8)),
    ]


def test_only_stem_and_head_stand_in_no_layer() -> None:
    assert [each.segment.name for each in SPACE.segments() if each.layer is None] == ["stem", "head"]
    assert [each.layer.name for each in SPACE.segments() if each.layer][::2] == [
        "layer01",
        "layer02",
        "layer03",
    ]


def test_a_placed_segment_has_the_key_of_the_same_segment_in_a_network() -> None:
    stem, layer01, *_ = SPACE.segments()
    workload = Workload(SPACE.input_shape, (stem.segment, layer01.segment))
    assert workload.segment_keys() == (stem.key, layer01.key)
