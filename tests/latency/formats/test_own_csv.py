"""Our own CSV as spreadsheets and editors give it back."""

import re

import pytest

from search_server.latency.formats.own_csv import read_own_csv
from search_server.latency.formats.reading import ImportedFile
from search_server.latency.table import LatencyTable
from shared.search_space import search_space
from shared.workload import IDENTITY_KEY

SPACE = search_space("fbnet-tiny")
HEADER = (
    "snapshot,device,space,conditions,layer,block,key,latency_us,sigma_us,num_samples,status,anchor_us,"
    "network_sigma,verdict,is_simulated,source,conditions_json,neighbours_json"
)


def exported_lines() -> list[str]:
    """Header, stem in line 2, the candidates of layer01 from line 3 on."""
    lines = [HEADER]
    for placed in SPACE.segments():
        is_free = placed.key == IDENTITY_KEY
        numbers = "0.0,0.0,0,identity" if is_free else "2.5,0.125,40,ok"
        cell = f"{placed.segment.name},{placed.block},{placed.key}"
        lines.append(f'09a7,vm,fbnet-tiny,"a, b",{cell},{numbers},25.0,0.0,none,False,measured,{{}},{{}}')
    return lines


def read(lines: list[str]) -> LatencyTable:
    content = "\r\n".join(lines).encode()
    return read_own_csv(ImportedFile(content, "vm", "2026-01-01T00:00:00+00:00")).table


def test_the_lines_are_a_table() -> None:
    table = read(exported_lines())
    assert {cell.latency_us for cell in table.cells()} == {0.0, 2.5}
    assert all(cell.status != "missing" for cell in table.cells())


def test_an_empty_sigma_is_unknown() -> None:
    table = read([line.replace(",0.125,", ",,") for line in exported_lines()])
    assert table.cells()[0].sigma_us is None


def with_line(number: int, change: str, by: str) -> list[str]:
    lines = exported_lines()
    assert re.search(change, lines[number - 1])
    lines[number - 1] = re.sub(change, by, lines[number - 1], count=1)
    return lines


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (
            with_line(2, "$", ","),
            "line 2: 18 values are expected, as the header names 18 columns, but it has 19; it ends with a "
            "comma too many",
        ),
        (with_line(7, "$", ",x"), "line 7: 18 values are expected.*but it has 19$"),
        (with_line(4, r",\{\}$", ""), "line 4: 18 values are expected.*but it has 17"),
        (with_line(1, "$", ","), "line 2: 19 values are expected"),
        (with_line(1, "device", "space"), "line 1: column 'space' stands in the header twice"),
        (with_line(3, "2.5", "2_5"), r"line 3 \(layer01 k3_e1\): latency_us must be a number.*got '2_5'"),
        (with_line(3, "2.5", "٢"), r"line 3 \(layer01 k3_e1\): latency_us must be a number"),
        (with_line(3, "2.5", "nan"), "line 3 .*latency_us must be a number"),
        (with_line(3, "2.5", '"2,5"'), "line 3 .*got '2,5'; write a decimal point, no comma"),
        (with_line(3, "0.125", "inf"), "line 3 .*sigma_us must be a number"),
        (with_line(3, ",40,", ",4.5,"), "line 3 .*num_samples must be a whole number, got '4.5'"),
        ([*exported_lines(), exported_lines()[2]], r"line 121.*\(layer01 k3_e1\): this cell stands in the"),
        (with_line(3, "k3_e1", "k5_e1"), "is not this cell's key in fbnet-tiny"),
        ([line.replace(",", ";") for line in exported_lines()], "columns are separated by ';'"),
        (
            [line.replace(",", ";").replace("{}", '"{""a"":1,5}"') for line in exported_lines()],
            "columns are separated by ';'; separate them by ',' and write numbers with a decimal point",
        ),
        ([line.replace(",", "\t") for line in exported_lines()], "columns are separated by tabs"),
        ([HEADER], "has no lines"),
        ([], "the CSV file is empty"),
        (with_line(2, '"a, b"', '"a, b'), "not a CSV file"),
    ],
)
def test_what_a_line_must_not_be_is_named_with_its_line(lines: list[str], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        read(lines)
