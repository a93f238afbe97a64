"""Tables whose unit was mistaken are asked about; tables of real devices, slow and fast, are not."""

from dataclasses import replace

import pytest

from search_server.latency.formats.hw_nas_bench import bundled_hw_nas_bench, read_hw_nas_bench
from search_server.latency.formats.plain_csv import read_plain_csv
from search_server.latency.formats.reading import ImportedFile
from search_server.latency.plausibility import oddities
from search_server.latency.table import LatencyTable
from shared.protocol.device import Conditions
from shared.search_space import search_space

NOW = "2026-01-01T00:00:00+00:00"
SPACE = search_space("fbnet-tiny")


def table_at(macs_per_us: float, batch: int = 1) -> LatencyTable:
    """Every cell at one rate, and 2 us for each as no program starts a block for nothing."""
    lines = ["layer,block,latency_ms"]
    for placed in SPACE.segments():
        macs = placed.segment.macs(placed.input_shape)
        us = macs * batch / macs_per_us + 2.0 if placed.segment.operators else 0.0
        lines.append(f"{placed.segment.name},{placed.block},{us / 1000!r}")
    conditions = Conditions("other", batch=batch)
    file = ImportedFile("\n".join(lines).encode(), "d", NOW, SPACE.name, conditions)
    return read_plain_csv(file).table


def questions(table: LatencyTable) -> list[str]:
    return [warning.rpartition(": ")[2] for warning in oddities(table) if "GMAC/s" in warning]


@pytest.mark.parametrize("device", ["raspi4", "pixel3", "eyeriss", "fpga"])
def test_published_tables_are_not_asked_about_and_a_thousandfold_is(device: str) -> None:
    table = read_hw_nas_bench(ImportedFile(bundled_hw_nas_bench(), device, NOW)).table
    assert questions(table) == []
    slipped = replace(table, anchor_us=1000 * table.anchor_us)
    assert questions(slipped) == ["were the file's microseconds read as milliseconds?"]


@pytest.mark.parametrize("macs_per_us", [1e3, 1e4, 86e3, 2e5, 4e5])
@pytest.mark.parametrize("batch", [1, 32])
def test_a_device_is_asked_about_only_once_its_unit_is_mistaken(macs_per_us: float, batch: int) -> None:
    """From one core of a small board, 1 GMAC/s, to an accelerator at 400 GMAC/s."""
    table = table_at(macs_per_us, batch)
    assert questions(table) == []
    slipped = replace(table, anchor_us=1000 * table.anchor_us)
    assert questions(slipped) == ["were the file's microseconds read as milliseconds?"]
