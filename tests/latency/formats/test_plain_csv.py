"""Tables that a person writes by hand."""

import re
from pathlib import Path

import pytest

from search_server.latency.formats.plain_csv import read_plain_csv
from search_server.latency.formats.reading import ImportedFile, ReadTable
from shared.architecture import Architecture, uniform_architecture
from shared.protocol.device import Conditions
from shared.search_space import search_space

SPACE = search_space(
    "lut:resolution=32,classes=10,stem=16s2,stages=24x1s1-32x1s2,head=64,blocks=k3_e3-k3_e6"
)
CELLS = """layer,block,latency_ms
stem,,0.21
layer01,k3_e3,0.35
layer01,k3_e6,0.52
layer02,k3_e3,0.30
layer02,k3_e6,0.44
head,-,0.12
"""


def read(text: str, space: str = SPACE.name, conditions: Conditions | None = None) -> ReadTable:
    file = ImportedFile(text.encode(), "nuc", "2026-01-01T00:00:00+00:00", space, conditions)
    return read_plain_csv(file)


def test_the_lines_are_the_table() -> None:
    """0.21 + 0.35 + 0.44 + 0.12 ms; no line told an error."""
    openvino = Conditions("openvino", 2, "fp16", 32, accelerator="Iris Xe")
    table = read(CELLS, conditions=openvino).table
    predicted = table.predict(Architecture(SPACE, ("k3_e3", "k3_e6")))
    assert predicted.latency_us == pytest.approx(1120)
    assert (predicted.low_us, predicted.high_us) == (None, None)
    assert table.conditions == openvino


def test_order_comments_blank_lines_spaces_and_a_byte_order_mark_make_no_difference() -> None:
    header, *cells = CELLS.splitlines()
    text = "\r\n".join(["# made by hand", header, "", *reversed(cells), " # end, with a comma", ",,"])
    assert read("\ufeff" + text.replace(",k", " , k")).table.snapshot == read(CELLS).table.snapshot


def test_columns_may_stand_in_any_order_and_tell_errors() -> None:
    """Stem 0.03, head 0.04 ms, layers exact: 1.645 * 0.05 ms."""
    text = "num_samples,latency_ms,sigma_ms,block,layer\n9,1,0.03,,stem\n,1,0.04,,head\n"
    text += "".join(f"5,1,0,{b},{layer}\n" for layer in ("layer01", "layer02") for b in ("k3_e3", "k3_e6"))
    table = read(text).table
    predicted = table.predict(uniform_architecture(SPACE, "k3_e6"))
    assert predicted.high_us == pytest.approx(4000 + 1.645 * 50, abs=0.1)
    assert [cell.num_samples for cell in table.cells()] == [9, 5, 5, 5, 5, 0]


def test_cells_that_compute_the_same_are_given_once_or_alike() -> None:
    space = SPACE.name.replace("32x1s2", "32x3s2")
    text = CELLS.replace("head,", "layer03,k3_e3,0.4\nlayer04,k3_e3,0.4\nhead,")
    assert len(read(text, space).table.entries) == 7
    with pytest.raises(ValueError, match=r"line 8: .* the same as that of line 7 .* latency, 0\.4 ms"):
        read(text.replace("layer04,k3_e3,0.4", "layer04,k3_e3,0.5"), space)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (CELLS + "layer01,k3_e3,0.35\n", "line 8: this cell stands in line 3 already"),
        (
            CELLS.replace("layer02,k3_e6", "layer03,k3_e6"),
            r"line 6: .*no cell 'layer03 k3_e6'; its layers are",
        ),
        (CELLS.replace("layer02,k3_e6", "layer02,k5_e6"), "with blocks k3_e3, k3_e6, and stem and head"),
        (CELLS.replace("layer02,k3_e6", "layer02,"), "line 6: .*no cell 'layer02 '"),
        (CELLS.replace("0.35", "-0.35"), "line 3: latency_ms must lie in 0"),
        (CELLS.replace("0.35", "0_35"), "line 3: latency_ms must be a number"),
        (CELLS.replace("0.35", ""), "line 3: latency_ms must be a number"),
        (CELLS.replace("0.35", "0.35,"), "line 3: 3 values are expected"),
        (CELLS.replace("0.35", '"0,35"'), "line 3: .* write a decimal point, no comma"),
        (CELLS.replace(",", ";"), "columns are separated by ';'"),
        (CELLS.replace("latency_ms", "latency_us"), "lacks columns latency_ms"),
        (
            CELLS.replace("latency_ms", "latency_ms,latency_ms"),
            "column 'latency_ms' stands in",
        ),
        (
            "layer,block,latency_ms,sigma_ms\nstem,,1,-1\n",
            r"line 2: sigma_ms must lie in 0\.\.60000, got -1",
        ),
        ("layer,block,latency_ms,num_samples\nstem,,1,-3\n", "line 2: num_samples must lie in 0"),
        ("layer,block,latency_ms,num_samples\nstem,,1,1e300\n", r"num_samples must lie .* got 1e\+300"),
        (
            "{'op': 'k3_e3', 'shape': (16, 16, 32, 32, 1)}\n",
            r"lacks columns .*docs/tables\.md shows such a",
        ),
        ("0.87 0.18 0.70\n0.31 0.79 0.03\n", "lacks columns layer, block, latency_ms of cells"),
        ("layer,block,latency_ms,colour\nstem,,1,red\n", "unknown column 'colour'"),
    ],
)
def test_what_a_line_must_not_be_is_named_with_its_line(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        read(text)


def test_the_example_of_the_documentation_is_a_whole_table() -> None:
    text = Path("docs/how-to/import-a-table.md").read_text(encoding="utf-8")
    (cells,) = re.findall(r"```text\n(# OpenVINO.*?)```", text, re.DOTALL)
    read_back = read(cells)
    assert read_back.remarks == ()
    predicted = read_back.table.predict(uniform_architecture(SPACE, "k3_e3"))
    assert predicted.latency_us == pytest.approx(980)
