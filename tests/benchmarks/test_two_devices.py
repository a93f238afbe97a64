"""The cross table of devices that nobody here has: sums over their bundled tables."""

from pathlib import Path

import numpy as np
import pytest

from benchmarks.two_devices import IMPORTED, bundled_tables, cross_table, equally_good
from shared.architecture import uniform_architecture
from shared.search_space import search_space

SPACE = search_space("fbnet-cifar")


def test_the_cross_table_names_each_device_s_latency_of_each_network(tmp_path: Path) -> None:
    tables = bundled_tables(tmp_path)
    found = {
        "raspi4": uniform_architecture(SPACE, "k3_e1"),
        "pixel3": uniform_architecture(SPACE, "k3_e3"),
    }
    latency_ms = cross_table(tables, found)
    assert tuple(latency_ms) == IMPORTED
    assert latency_ms["raspi4"]["raspi4"] == pytest.approx(17.618579145142576)
    assert latency_ms["pixel3"]["raspi4"] == pytest.approx(7.7889731)


def test_each_device_gets_the_fastest_of_all_networks_that_are_as_good(tmp_path: Path) -> None:
    tables = bundled_tables(tmp_path)
    effects_LK = np.random.default_rng(0).normal(size=(SPACE.num_layers, len(SPACE.candidates)))
    target_us = 0.7 * tables["raspi4"].anchor_us
    found = equally_good(effects_LK, tables, target_us)
    assert tables["raspi4"].predict(found["raspi4"]).latency_us <= target_us * 1.01

    def loss(indices: list[int]) -> float:
        return float(effects_LK[np.arange(len(indices)), indices].sum())

    losses = [loss(list(network.indices)) for network in found.values()]
    assert np.ptp(losses) < 0.1
    for device, row in cross_table(tables, found).items():
        assert row[device] == min(row.values())
