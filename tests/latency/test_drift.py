"""Drift, judged for ratios that are known."""

from dataclasses import replace

import pytest

from search_server.latency.covers import cover_architectures
from search_server.latency.drift import judge_drift, rescaled
from search_server.latency.table import LatencyTable
from tests.search_server.tables import known_table

TABLE = known_table("device")
NETWORKS = cover_architectures(TABLE.search_space, 0)[:3]


def predicted_units(network_index: int) -> float:
    return TABLE.predict(NETWORKS[network_index]).latency_us / TABLE.anchor_us


@pytest.mark.parametrize(
    ("level", "ratios", "structure", "outcome"),
    [
        (1.00, (1.0, 1.0, 1.0), 0.0, "unchanged"),
        (0.96, (1.02, 0.99, 1.20), 0.02, "unchanged"),  # one disturbed network says nothing
        (1.07, (1.0, 1.01, 0.99), 0.0, "rescaled"),
        (0.90, (1.0, 1.0, 1.0), 0.0, "rescaled"),
        (1.00, (1.05, 1.04, 1.0), 0.04, "stale"),
        (1.20, (0.9, 0.95, 0.96), -0.05, "stale"),
    ],
)
def test_level_and_structure_decide(
    level: float, ratios: tuple[float, ...], structure: float, outcome: str
) -> None:
    units = [
        (network, predicted_units(index) * ratio)
        for index, (network, ratio) in enumerate(zip(NETWORKS, ratios, strict=True))
    ]
    drift = judge_drift(TABLE, TABLE, TABLE.anchor_us * level, units, "now")
    assert drift.outcome == outcome
    assert drift.level == pytest.approx(level - 1)
    assert drift.structure == pytest.approx(structure)
    assert str(drift) == f"level {100 * (level - 1):+.1f} %, structure {100 * structure:+.1f} %"


def test_a_recalibrated_table_is_judged_by_the_profile_that_it_came_from() -> None:
    units = [(network, predicted_units(index)) for index, network in enumerate(NETWORKS)]
    shrunk = replace(
        TABLE,
        entries={
            key: replace(entry, latency_units=entry.latency_units * 0.9)
            for key, entry in TABLE.entries.items()
        },
    )
    assert judge_drift(shrunk, TABLE, TABLE.anchor_us, units, "now").outcome == "unchanged"


def test_rescaling_touches_no_entry() -> None:
    moved: LatencyTable = rescaled(TABLE, 2 * TABLE.anchor_us, "now")
    assert moved.entries == TABLE.entries
    assert moved.snapshot != TABLE.snapshot
    for network in NETWORKS:
        assert moved.predict(network).latency_us == pytest.approx(2 * TABLE.predict(network).latency_us)
