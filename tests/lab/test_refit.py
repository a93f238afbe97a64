"""What the lab says of the estimator, by hand where it counts, by the product where it predicts."""

from pathlib import Path

import pytest

from lab.parts import FULL
from lab.recorded import load, recorded_spaces, save
from lab.refit import Prediction, judge_split, row_of
from search_server.latency.estimate.fit import fit_table
from search_server.latency.estimate.relative import relative_latencies


def predictions(**errors: tuple[float, ...]) -> list[Prediction]:
    return [
        Prediction(item_id, error, 0.01, abs(error) < 0.025, 0.0, 0.0)
        for item_id, each in errors.items()
        for error in each
    ]


def test_a_part_is_compared_cover_by_cover() -> None:
    full = predictions(cover0=(0.01, -0.03), cover1=(-0.01, -0.01))
    less = predictions(cover0=(0.03, 0.03), cover1=(0.02, 0.04))
    row = row_of(less, full)
    assert row.mean_error == pytest.approx(0.03)
    assert row.bias == pytest.approx(0.03)
    assert row.more == pytest.approx((0.01 + 0.02) / 2)
    assert row.more_error == pytest.approx(0.005)  # 0.01 and 0.02: deviation 0.005 * sqrt 2, over sqrt 2
    assert row.coverage == 0.25


def test_all_parts_together_are_the_product() -> None:
    windows = load("fbnet-tiny")
    first_four = windows.leases[:4]
    results = windows.results_of(first_four)
    measured = {result.item_id for result in results}
    covers, families = (
        {item_id: network.workload() for item_id, network in networks.items() if item_id in measured}
        for networks in (windows.covers, windows.families)
    )
    table = fit_table("fbnet-tiny", "lab", windows.conditions, covers, "anchor", results, "", families)
    ratios = relative_latencies(windows.results_of(windows.leases[4:]), "anchor")
    judged = judge_split("fbnet-tiny", first_four, [FULL])[FULL]
    assert {one.item_id for one in judged} == {f"cover{window}_{k}" for window in (4, 5) for k in range(9)}
    for one in judged:
        units = table.predict(windows.covers[one.item_id]).latency_us / table.anchor_us
        assert one.error == pytest.approx(units / ratios[one.item_id].ratio - 1)


def test_what_is_left_out_is_not_heard() -> None:
    four = load("fbnet-tiny").leases[:4]
    judged = judge_split("fbnet-tiny", four, [FULL, "families not in the fit", "sums over layers"])
    full, without, sums = ([one.error for one in each] for each in judged.values())
    assert full != without
    assert full != sums


def test_windows_are_kept_as_they_were(tmp_path: Path) -> None:
    windows = load("fbnet-tiny")
    save(windows, tmp_path)
    assert load("fbnet-tiny", tmp_path) == windows


def test_a_space_without_windows_is_named() -> None:
    with pytest.raises(ValueError, match="no windows of 'fbnet-cifar' are recorded, only of fbnet-224, "):
        load("fbnet-cifar")


def test_three_spaces_are_recorded_six_windows_each() -> None:
    assert recorded_spaces() == ["fbnet-224", "fbnet-96-035", "fbnet-tiny"]
    assert {len(load(space).leases) for space in recorded_spaces()} == {6}
