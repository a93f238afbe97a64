"""Spaces of one's own: the definition in the name is all there is; a file is how people write it."""

import json
from pathlib import Path
from typing import Any

import pytest

from shared.architecture import uniform_architecture
from shared.blocks import candidate_block
from shared.search_space import search_space
from shared.space_file import read_space

DOCUMENT: dict[str, Any] = {
    "name": "my-space",
    "resolution": 32,
    "classes": 10,
    "stem": {"channels": 16, "stride": 2},
    "stages": [
        {"channels": 24, "layers": 1, "stride": 1},
        {"channels": 32, "layers": 3, "stride": 2},
    ],
    "head": 384,
    "candidates": ["k3_e1", "k7_e4_g2", "skip"],
}
NAME = (
    "my-space:resolution=32,classes=10,stem=16s2,stages=24x1s1-32x3s2,head=384,blocks=k3_e1-k7_e4_g2-skip"
)


def write(folder: Path, document: dict[str, Any]) -> str:
    path = folder / "my_space.json"
    path.write_text(json.dumps(document))
    return str(path)


def test_a_file_and_its_definition_are_the_same_space(tmp_path: Path) -> None:
    space = read_space(write(tmp_path, DOCUMENT))
    assert space.name == NAME
    assert search_space(NAME) == read_space(f"file:{write(tmp_path, DOCUMENT)}") == space
    assert [layer.resolution for layer in space.layers] == [16, 16, 8, 8]
    assert space.num_architectures == 3**4
    for block in space.candidates:
        assert uniform_architecture(space, block).workload().output_shape == (10, 1, 1)


MOBILE_DOCUMENT: dict[str, Any] = {
    "name": "mobile",
    "resolution": 32,
    "classes": 10,
    "stem": {"channels": 16, "stride": 2, "then": [{"channels": 24, "kernel": 1, "stride": 1}]},
    "activation": "hswish",
    "stages": [
        {"channels": 24, "layers": 1, "stride": 1, "squeeze": True},
        {"channels": 32, "layers": 3, "stride": 2, "squeeze": True, "activation": "relu6"},
        {"channels": 40, "layers": 1, "stride": 1, "activation": "hswish"},
    ],
    "head": {"channels": 128, "features": 256, "norm": True},
    "candidates": ["k3_e2.5", "d3_k5_e4", "e2_se", "skip"],
}
MOBILE_NAME = (
    "mobile:resolution=32,classes=10,stem=16s2-24k1s1,stages=24x1s1_se-32x3s2_se_r6-40x1s1_hs,"
    "head=128-256_bn,activation=hswish,blocks=k3_e2.5-d3_k5_e4-e2_se-skip"
)


def test_a_space_with_all_that_may_stand_there_is_its_definition(tmp_path: Path) -> None:
    space = read_space(write(tmp_path, MOBILE_DOCUMENT))
    assert space.name == MOBILE_NAME
    assert search_space(MOBILE_NAME) == space
    assert [layer.in_channels for layer in space.layers] == [24, 24, 32, 32, 32]
    for block in space.candidates:
        assert uniform_architecture(space, block).workload().output_shape == (10, 1, 1)


def test_toml_is_read_too(tmp_path: Path) -> None:
    path = tmp_path / "space.toml"
    path.write_text(
        'name = "my-space"\nresolution = 32\nclasses = 10\nhead = 384\n'
        'candidates = ["k3_e1", "k7_e4_g2", "skip"]\nstem = {channels = 16, stride = 2}\n'
        "[[stages]]\nchannels = 24\nlayers = 1\nstride = 1\n"
        "[[stages]]\nchannels = 32\nlayers = 3\nstride = 2\n"
    )
    assert read_space(str(path)).name == NAME


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"depth": 3}, "the top has unknown keys depth; the keys are name, resolution"),
        ({"stem": {"channels": 16}}, "stem misses stride"),
        ({"resolution": "32"}, "resolution must be a whole number, got '32'"),
        ({"head": 9000}, r"head must lie in 8..8192, got 9000"),
        ({"stages": []}, "stages must have 1 to 60 layers together, got 0"),
        ({"stages": [{"channels": 24, "layers": 1, "stride": 4}]}, r"stages\[0\]: stride must lie in 1..2"),
        ({"stages": [{"channels": 24, "layers": 1}]}, r"stages\[0\] misses stride"),
        ({"stages": 3}, "stages must be a list, got 3"),
        ({"candidates": ["k3_e1"]}, "at least two different blocks"),
        ({"candidates": ["k3_e1", "k4_e1"]}, "unknown block 'k4_e1'; a block is skip, or kernel 3"),
        ({"candidates": ["k3_e1", "k3_e1_g3"]}, "'k3_e1_g3' does not fit layer01: .* groups=3"),
        ({"name": "My Space"}, "small letters, digits"),
        ({"activation": "gelu"}, "activation: an activation is relu, relu6, hswish, got 'gelu'"),
        ({"stem": {"channels": 16, "stride": 2, "then": 3}}, "stem: then must be a list, got 3"),
        (
            {"stem": {"channels": 16, "stride": 2, "then": [{"channels": 8, "kernel": 9, "stride": 1}]}},
            r"stem: then\[0\]: kernel must lie in 1..7, got 9",
        ),
        ({"head": {"channels": 384, "norm": True}}, "head: norm is that of the layer behind pooling"),
        ({"head": {"channels": 384, "norm": 1}}, "head: norm must be true or false, got 1"),
        (
            {"stages": [{"channels": 24, "layers": 1, "stride": 1, "squeeze": "yes"}]},
            r"stages\[0\]: squeeze must be true or false, got 'yes'",
        ),
    ],
)
def test_a_wrong_file_is_explained(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=rf"space file .*my_space.json.*{message}"):
        read_space(write(tmp_path, DOCUMENT | changes))


def test_a_wrong_definition_is_explained() -> None:
    for spec, message in (
        ("a:stages=24x1s1", "missing resolution, classes, stem, head, blocks"),
        (NAME.replace("16s2", "16"), "stem of a space is written like 16s2"),
        (NAME.replace("32x3s2", "32x3"), "stages of a space is written like"),
        (NAME.replace("=384", "=x"), "head of a space is written like 384 or 960-1280, got 'x'"),
    ):
        with pytest.raises(ValueError, match=message):
            search_space(spec)
    with pytest.raises(ValueError, match=r"cannot read the space file nowhere\.yaml"):
        read_space("nowhere.yaml")


def test_block_names_are_unique() -> None:
    assert candidate_block("k7_e4_g2").name == "k7_e4_g2"
    assert candidate_block("k5_sep").name == "k5_sep"
    for name in ("k7_e4_g1", "k4_sep", "k3_sep_g2", "k3_e1_sep", "k9_e1", "k3_e7", "k3_e06", "k3", ""):
        with pytest.raises(ValueError, match="unknown block"):
            candidate_block(name)
