"""Inner channels that a stage offers its blocks, counted by hand."""

import json
from pathlib import Path
from typing import Any

import pytest

from shared.architecture import anchor_architecture, parse_architecture
from shared.blocks import candidate_block, narrowest_choice
from shared.search_space import search_space
from shared.space_file import read_space
from shared.workload import IDENTITY_KEY

DOCUMENT: dict[str, Any] = {
    "name": "mine",
    "resolution": 8,
    "classes": 2,
    "stem": {"channels": 8, "stride": 1},
    "stages": [
        {"channels": 8, "layers": 1, "stride": 1, "inner": [12, 24]},
        {
            "channels": 16,
            "layers": 1,
            "stride": 2,
            "inner": [16, 40],
            "squeeze": True,
            "activation": "hswish",
        },
    ],
    "head": 8,
    "candidates": ["k3_c1", "d3_k5_c2", "skip"],
}
NAME = (
    "mine:resolution=8,classes=2,stem=8s1,stages=8x1s1_c12.24-16x1s2_c16.40_se_hs,head=8,"
    "blocks=k3_c1-d3_k5_c2-skip"
)


def write(folder: Path, document: dict[str, Any]) -> str:
    path = folder / "mine.json"
    path.write_text(json.dumps(document))
    return str(path)


def test_a_file_and_its_definition_are_the_same_space(tmp_path: Path) -> None:
    space = read_space(write(tmp_path, DOCUMENT))
    assert space.name == NAME
    assert search_space(NAME) == space
    toml = tmp_path / "mine.toml"
    toml.write_text(
        'name = "mine"\nresolution = 8\nclasses = 2\nhead = 8\nstem = {channels = 8, stride = 1}\n'
        'candidates = ["k3_c1", "d3_k5_c2", "skip"]\n'
        "[[stages]]\nchannels = 8\nlayers = 1\nstride = 1\ninner = [12, 24]\n"
        "[[stages]]\nchannels = 16\nlayers = 1\nstride = 2\ninner = [16, 40]\n"
        'squeeze = true\nactivation = "hswish"\n'
    )
    assert read_space(str(toml)) == space


def test_a_block_has_the_channels_that_its_stage_offers() -> None:
    """Layer 1 keeps 8 channels of 8x8; layer 2 goes to 16 of 4x4, with a gate that looks at 8."""
    space = search_space(NAME)
    first, second = space.layers
    narrow, wide = space.candidate(first, "k3_c1"), space.candidate(first, "d3_k5_c2")
    assert narrow.macs(first.input_shape) == 64 * (8 * 12 + 12 * 9 + 12 * 8)
    assert narrow.num_params == 8 * 12 + 12 * 9 + 12 * 8 + 2 * (12 + 12 + 8)
    assert wide.macs(first.input_shape) == 64 * (8 * 9 + 8 * 24 + 24 * 25 + 24 * 8)
    strided = space.candidate(second, "k3_c1")
    assert strided.macs(second.input_shape) == 64 * 8 * 16 + 16 * (16 * 9 + 16 * 16) + 2 * 16 * 8
    assert (narrow.residual, strided.residual) == (True, False)


def test_a_whole_network_by_hand() -> None:
    space = search_space(
        "plain:resolution=8,classes=2,stem=8s1,stages=8x1s1_c12-16x1s2_c16,head=8,blocks=k3_c1-skip"
    )
    network = parse_architecture("k3_c1", space).workload()
    stem, head = 64 * 27 * 8, 16 * 16 * 8 + 8 * 2
    assert network.macs == stem + 64 * 12 * (8 + 9 + 8) + 64 * 8 * 16 + 16 * 16 * (9 + 16) + head
    norms = 2 * (8 + (12 + 12 + 8) + (16 + 16 + 16) + 8)
    weights = 27 * 8 + 12 * (8 + 9 + 8) + 16 * (8 + 9 + 16) + 16 * 8 + 8 * 2 + 2
    assert network.num_params == weights + norms


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"candidates": ["k3_e1", "skip"]}, r"stages\[0\]: inner offers 2 .* choose among 0"),
        ({"candidates": ["k3_c3", "skip"]}, r"stages\[0\]: inner offers 2 .* choose among 3"),
        ({"candidates": ["k3_c1", "k3_c2_g2"]}, "unknown block 'k3_c2_g2'"),
        ({"candidates": ["k3_c1", "k3_c0"]}, "unknown block 'k3_c0'.* a choice among the inner channels"),
    ],
)
def test_candidates_and_offers_have_to_agree(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=rf"space file .*mine.json.*{message}"):
        read_space(write(tmp_path, DOCUMENT | changes))


@pytest.mark.parametrize(
    ("inner", "message"),
    [
        ([24, 12], r"stages\[0\]: inner must rise, got 24, 12"),
        ([12, 12], r"stages\[0\]: inner must rise, got 12, 12"),
        ([2, 12], r"stages\[0\]: inner must lie in 4..8192, got 2"),
        ([12, "24"], r"stages\[0\]: inner\[1\] must be a whole number, got '24'"),
        (12, r"stages\[0\]: inner must be a list, got 12"),
    ],
)
def test_a_wrong_offer_is_explained(tmp_path: Path, inner: Any, message: str) -> None:
    stages = [DOCUMENT["stages"][0] | {"inner": inner}, DOCUMENT["stages"][1]]
    with pytest.raises(ValueError, match=message):
        read_space(write(tmp_path, DOCUMENT | {"stages": stages}))


def test_a_block_without_an_offer_says_so() -> None:
    with pytest.raises(ValueError, match=r"k3_c2 takes choice 2 of the inner channels .* which offers 0"):
        candidate_block("k3_c2").lower("layer01", 8, 8, 1)


def test_names_say_which_blocks_differ_in_their_choice_alone() -> None:
    names = ("k3_c4", "d5_k3_c2_se_hs", "c9", "k3_e3", "skip", "k3_sep")
    assert [narrowest_choice(name) for name in names] == ["k3_c1", "d5_k3_c1_se_hs", "c1", None, None, None]
    for name in names:
        assert candidate_block(name).name == name


def test_the_named_space_has_78_segments() -> None:
    """Nine shapes of layers, nine candidates; in five of the shapes a skip is nothing; stem and head."""
    space = search_space("channels-tiny")
    keys = {placed.key for placed in space.segments()} - {IDENTITY_KEY}
    assert len(keys) == 9 * 9 - 5 + 2 == 78
    assert len(list(space.segments())) == 12 * 9 + 2
    assert anchor_architecture(space).blocks == ("k3_c3",) * 12


def test_mobilenetv3_large_lies_in_the_space_of_its_stages() -> None:
    """Its table names the channels inside each block; torchvision has 5,483,032 parameters for it."""
    blocks = "k3_sep,k3_c2,k3_c3,k5_c1,k5_c3,k5_c3,k3_c3,k3_c2,k3_c1,k3_c1,k3_c2,k3_c4,k5_c2,k5_c4,k5_c4"
    network = parse_architecture(blocks, search_space("channels-224")).workload()
    assert network.num_params == 5_483_032
    assert network.key == parse_architecture("mobilenetv3-large").workload().key


def test_width_scales_what_is_offered() -> None:
    halved = search_space("channels-tiny:width=0.5")
    assert [stage.traits.inner_channels for stage in halved.stages] == [
        (8, 16, 24, 32),
        (16, 32, 48, 72),
        (32, 48, 72, 120),
        (64, 104, 160, 240),
        (80, 160, 240, 336),
    ]
    with pytest.raises(ValueError, match=r"width=0.25 leaves .* 16, 32, 48, 64 become 8, 8, 16, 16"):
        search_space("channels-tiny:width=0.25")
