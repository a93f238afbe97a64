"""Once-for-all's tables: numbers, keys and errors as written."""

import json
import math

import pytest

from search_server.latency.formats.ofa_file import read_ofa_file
from search_server.latency.formats.ofa_yaml import read_ofa_yaml
from search_server.latency.formats.reading import ImportedFile, ReadTable
from search_server.latency.table import LatencyTable, MissingLatencyError
from shared.architecture import Architecture, uniform_architecture
from shared.search_space import search_space

SPACE = search_space(
    "lut:resolution=32,classes=10,stem=16s2,stages=24x1s1-32x1s2,head=64,blocks=k3_e3-k3_e6"
)
"""Two layers of two candidates; no two cells are equal."""
STEM = "Conv-input:32x32x3-output:16x16x16"
HEAD = ("Conv_1-input:8x8x32-output:8x8x64", "Logits-input:8x8x64-output:10")
LAYERS = ("input:16x16x16-output:16x16x24", "input:16x16x24-output:8x8x32")


def block(layer: int, expansion: int) -> str:
    return f"expanded_conv-{LAYERS[layer]}-expand:{expansion}-kernel:3-stride:{layer + 1}-idskip:0"


NAMES = (STEM, *HEAD, *(block(layer, expansion) for layer in (0, 1) for expansion in (3, 6)))


def read(content: bytes | str) -> LatencyTable:
    content = content.encode() if isinstance(content, str) else content
    return read_ofa_yaml(ImportedFile(content, "pixel", "2026-01-01T00:00:00+00:00", SPACE.name)).table


def yaml_of(fields: str, names: tuple[str, ...] = NAMES) -> str:
    return "".join(f"{name}: {{{fields}}}\n" for name in names)


NETWORK = uniform_architecture(SPACE, "k3_e3")


@pytest.mark.parametrize("text", ["5e-05", "5E-5", "0.00005", "5.0e-05", "+.5e-4", "50e-06"])
def test_a_number_of_json_is_a_number(text: str) -> None:
    """Stem, two layers and the two parts of the head: 5 times 0.05 us."""
    as_yaml = read(yaml_of(f"mean: {text}"))
    assert as_yaml.predict(NETWORK).latency_us == pytest.approx(0.25)


def test_json_and_yaml_of_one_table_are_one_table() -> None:
    means = {name: {"mean": 5e-05 * (index + 1), "count": 3} for index, name in enumerate(NAMES)}
    as_json = read(json.dumps(means, indent="\t"))
    assert as_json == read("".join(f"{k}:\n  mean: {v['mean']}\n  count: 3\n" for k, v in means.items()))
    assert as_json.predict(NETWORK).latency_us == pytest.approx(0.05 * (1 + 2 + 3 + 4 + 6))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (yaml_of("mean: 1") + yaml_of("mean: 50", NAMES[4:5]), "line 8: block expanded_conv-.* twice"),
        (f"{STEM}: {{mean: 1, mean: 2}}", "line 1: mean stands in the block twice"),
        (json.dumps({STEM: {"mean": 1}})[:-1] + f', "{STEM}": {{"mean": 2}}}}', "twice"),
        (f'{{"{STEM}": {{"mean": 1, "mean": 2}}}}', "key 'mean' stands in the file twice"),
        (yaml_of("mean: 1_000"), "mean must be a number"),
        (yaml_of("mean: 1:30"), "mean must be a number"),
        (yaml_of("mean: .inf"), "mean must be a number"),
        (yaml_of("mean: '1'"), "mean must be a number"),
        (json.dumps({STEM: {"mean": "1"}}), "mean must be a number"),
        (json.dumps({STEM: {"mean": True}}), "mean must be a number"),
        (f'{{"{STEM}": {{"mean": {"9" * 5000}}}}}', r"99\.\.\. is a number of 5000 digits, more than 400"),
        (yaml_of("mean: 1, var: -1"), r"var must lie in 0\.\.1e\+12"),
        (yaml_of("mean: 1, std: 1e7"), r"std must lie in 0\.\.1e\+06 ms"),
        (yaml_of("mean: 1, std: -1"), "std must lie in"),
        (yaml_of("mean: 1, count: 0"), r"count must lie in 1\.\.1000000000"),
        (yaml_of("mean: 1, count: 2.5"), "count must be a whole number"),
        (yaml_of("var: 1"), "mean is missing"),
        (yaml_of("mean: [1]"), "line 1: mean must be a number"),
        ("a: &a {mean: 1}\nb: *a\n", "line 2: write out what .*a stands for"),
        ("a: {mean: 1}\n---\nb: {mean: 1}\n", "must be a map"),
        (
            yaml_of("mean: 1") + f"{block(0, 48)}-se:0-hs:0: {{mean: 2}}\n",
            "describe the same block; keep one",
        ),
    ],
)
def test_what_cannot_be_meant_is_refused(content: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        read(content)


@pytest.mark.parametrize("spread", ["var: 25", "std: 5"])
def test_an_interval_comes_from_variance_and_count(spread: str) -> None:
    """Stem, two blocks and two parts of the head, 25 ms^2 / 4 runs each: 1.645 sqrt(5 * 6.25) = 9.2 ms."""
    predicted = read(yaml_of(f"mean: 20, {spread}, count: 4")).predict(NETWORK)
    assert predicted.latency_us == pytest.approx(100_000)
    assert predicted.low_us == pytest.approx(100_000 - 9195, abs=2)
    assert predicted.high_us == pytest.approx(100_000 + 9195, abs=2)
    once = read(yaml_of(f"mean: 20, {spread}")).predict(NETWORK)
    assert once.high_us == pytest.approx(100_000 + 1000 * 1.645 * math.sqrt(125), rel=1e-3)


def test_a_table_without_variances_has_no_interval() -> None:
    table = read(yaml_of("mean: 20, count: 4"))
    assert (table.predict(NETWORK).low_us, table.predict(NETWORK).high_us) == (None, None)
    assert {cell.num_samples for cell in table.cells()} == {4}


def test_one_block_without_variance_makes_the_networks_with_it_unknown() -> None:
    names = tuple(name for name in NAMES if name != block(1, 6))
    table = read(yaml_of("mean: 20, var: 25", names) + yaml_of("mean: 20", (block(1, 6),)))
    assert table.predict(NETWORK).low_us is not None
    assert table.predict(Architecture(SPACE, ("k3_e3", "k3_e6"))).low_us is None


def test_a_head_whose_pooling_stands_by_itself_is_read_too() -> None:
    head = (HEAD[0], "AvgPool2D-input:8x8x64-output:1x1x64", "Logits-input:1x1x64-output:10")
    table = read(yaml_of("mean: 1", (*head, *NAMES[3:], STEM)))
    assert table.predict(NETWORK).latency_us == pytest.approx(6000)


PROXYLESS = (
    "proxyless:resolution=32,classes=10,stem=16s2,stages=8x1s1-24x2s2,head=64,blocks={}k3_e3-k5_e6-skip"
)
PROXYLESS_MS = {
    STEM: 1.0,
    "expanded_conv-input:16x16x16-output:16x16x8-expand:1-kernel:3-stride:1-idskip:0": 0.5,
    "expanded_conv-input:16x16x16-output:16x16x8-expand:1-kernel:5-stride:1-idskip:0": 0.75,
    "expanded_conv-input:16x16x8-output:8x8x24-expand:3-kernel:3-stride:2-idskip:0": 2.0,
    "expanded_conv-input:8x8x24-output:8x8x24-expand:6-kernel:5-stride:1-idskip:1": 4.0,
    "Conv_1-input:8x8x24-output:8x8x64": 8.0,
    "Logits-input:8x8x64-output:10": 16.0,
}
"""The first block has expansion 1 only, as ProxylessNAS's space has it."""


def read_proxyless(blocks: str) -> ReadTable:
    content = "".join(f"{name}: {{mean: {ms}}}\n" for name, ms in PROXYLESS_MS.items()).encode()
    space = PROXYLESS.format(blocks)
    return read_ofa_yaml(ImportedFile(content, "pixel", "2026-01-01T00:00:00+00:00", space))


def test_blocks_of_expansion_1_are_separable_ones() -> None:
    """The least network takes 1 + 0.5 + 2 + 0 + 8 + 16 ms; the largest has 0.75 and 4 as well."""
    table = read_proxyless("k3_sep-k5_sep-").table
    network = Architecture(table.search_space, ("k5_sep", "k3_e3", "k5_e6"))
    assert table.predict(network).latency_us == pytest.approx(31_750)
    assert table.latency_range_us() == pytest.approx((27_500, 31_750))


def test_a_layer_whose_blocks_are_no_candidates_says_which_to_add() -> None:
    read_table = read_proxyless("k3_e1-")
    with pytest.raises(MissingLatencyError, match=r"no cell of layer01 at all.*; import a file"):
        read_table.table.latency_range_us()
    assert "layer01 has no cell" in read_table.remarks[-1]
    assert "the file has k3_sep, k5_sep there" in read_table.remarks[-1]


def test_separable_blocks_are_read_where_the_middle_is_a_number_of_channels() -> None:
    name = "expanded_conv-input:16x16x16-output:16x16x8-expand:16-kernel:7-stride:1-idskip:0-se:0-hs:0"
    content = f"{STEM}: {{mean: 1}}\n{name}: {{mean: 3}}\n".encode()
    space = PROXYLESS.format("k7_sep-")
    table = read_ofa_yaml(ImportedFile(content, "pixel", "2026-01-01T00:00:00+00:00", space)).table
    known = {(cell.layer, cell.block): cell.latency_us for cell in table.cells() if cell.num_samples == 0}
    assert known["layer01", "k7_sep"] == 3000


def test_blocks_are_read_by_their_names() -> None:
    blocks = read_ofa_file(yaml_of("mean: 0.5, var: 4, count: 16").encode())
    assert set(blocks) == set(NAMES)
    assert blocks[STEM].variance_of_mean == 0.25
