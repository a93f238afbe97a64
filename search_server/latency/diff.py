"""Two tables of one space, cell by cell: ratios, and who ranks differently."""

import statistics
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from itertools import combinations, groupby

from search_server.resources.latencies import NamedPrediction
from search_server.resources.tables import CellDiff, NetworkDiff, Table, TableCell, TableDiff


def diff_tables(
    a: Table, b: Table, named_a: Sequence[NamedPrediction] = (), named_b: Sequence[NamedPrediction] = ()
) -> TableDiff:
    """Compare two tables.

    Args:
        a: the one.
        b: the other; ratios are its latencies over those of ``a``.
        named_a: what ``a`` says of the known networks of the space.
        named_b: what ``b`` says of them.

    Raises:
        ValueError: they are of different spaces, or have no measured cell in common.
    """
    if a.summary.space != b.summary.space:
        raise ValueError(
            f"table {a.summary.snapshot} is of space {a.summary.space}, {b.summary.snapshot} of "
            f"{b.summary.space}; only tables of one space can be compared"
        )
    ranks_a, ranks_b = _ranks_in_layers(a.cells), _ranks_in_layers(b.cells)
    cells = tuple(
        CellDiff(
            layer=cell_a.layer,
            block=cell_a.block,
            a_us=cell_a.latency_us,
            b_us=cell_b.latency_us,
            ratio=_ratio(cell_a.latency_us, cell_b.latency_us),
            rank_a=ranks_a.get((cell_a.layer, cell_a.block)),
            rank_b=ranks_b.get((cell_b.layer, cell_b.block)),
        )
        for cell_a, cell_b in zip(a.cells, b.cells, strict=True)
    )
    ratios = [cell.ratio for cell in cells if cell.ratio is not None]
    pairs = [(cell.a_us, cell.b_us) for cell in cells if cell.a_us is not None and cell.b_us is not None]
    if not ratios:
        raise ValueError("the tables have no measured cell in common")
    networks = _network_diffs(named_a, named_b)
    return TableDiff(
        a=a.summary,
        b=b.summary,
        cells=cells,
        ratio_median=statistics.median(ratios),
        rank_correlation=_spearman(pairs),
        num_rank_changes=sum(
            cell.rank_a != cell.rank_b
            for cell in cells
            if cell.rank_a is not None and cell.rank_b is not None
        ),
        networks=networks,
        num_flipped_pairs=sum(
            (one.a_us - other.a_us) * (one.b_us - other.b_us) < 0
            for one, other in combinations(networks, 2)
        ),
    )


def _network_diffs(
    named_a: Sequence[NamedPrediction], named_b: Sequence[NamedPrediction]
) -> tuple[NetworkDiff, ...]:
    """Return the networks that both tables predict, in the order of ``named_a``."""
    of_b = {each.architecture: each.latency_us for each in named_b}
    both = [
        (each, each.latency_us, latency_us)
        for each in named_a
        if each.latency_us and (latency_us := of_b.get(each.architecture))
    ]
    order_a, order_b = sorted(a for _, a, _ in both), sorted(b for _, _, b in both)
    return tuple(
        NetworkDiff(each.name, each.architecture, a, b, b / a, order_a.index(a), order_b.index(b))
        for each, a, b in both
    )


def _spearman(pairs: Sequence[tuple[float, float]]) -> float:
    ranks = [_average_ranks(values) for values in zip(*pairs, strict=True)]
    return statistics.correlation(*ranks)


def _average_ranks(values: Sequence[float]) -> list[float]:
    """Return the rank of each value; equal values share the mean of their ranks."""
    ordered = sorted(values)
    return [(bisect_left(ordered, value) + bisect_right(ordered, value) - 1) / 2 for value in values]


def _ratio(a_us: float | None, b_us: float | None) -> float | None:
    return b_us / a_us if a_us and b_us else None


def _ranks_in_layers(cells: Sequence[TableCell]) -> dict[tuple[str, str], int]:
    ranks: dict[tuple[str, str], int] = {}
    for layer, group in groupby((cell for cell in cells if cell.block), key=lambda cell: cell.layer):
        known = [(cell.latency_us, cell.block) for cell in group if cell.latency_us is not None]
        ranks |= {(layer, block): rank for rank, (_, block) in enumerate(sorted(known))}
    return ranks
