"""Curves of a search keep what a chart shows: ends, peaks and dips."""

from search_server.searches.curves import extremes


def test_few_rows_all_stay() -> None:
    assert extremes([(0.0,), (1.0,), (2.0,)], 3) == [0, 1, 2]


def test_peaks_dips_and_ends_stay() -> None:
    rows: list[tuple[float | None, ...]] = [(1.0, None) for _ in range(1000)]
    rows[137] = (9.0, None)
    rows[801] = (-4.0, 7.0)
    kept = extremes(rows, 42)
    assert {0, 137, 801, 999} <= set(kept)
    assert len(kept) <= 42


def test_nothing_stays_of_nothing() -> None:
    assert extremes([], 10) == []
