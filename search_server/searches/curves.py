"""Curves of a search: the scalars of its steps, thinned to what a chart can show."""

from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session

from search_server.db.models import SearchStepRow
from search_server.resources.searches import SearchCurves

SCALARS = ("weight_loss", "theta_loss", "accuracy", "expected_latency_us", "entropy")


def search_curves(session: Session, job_id: str, max_points: int) -> SearchCurves:
    """Return the curves of a search with at most ``max_points`` steps, first and last among them."""
    body = SearchStepRow.body
    columns = (
        SearchStepRow.step,
        body["epoch"].as_integer(),
        *(body[name].as_float() for name in SCALARS),
    )
    rows = session.execute(
        select(*columns).where(SearchStepRow.job_id == job_id).order_by(SearchStepRow.step)
    ).all()
    kept = [rows[index] for index in extremes([row[2:] for row in rows], max_points)]
    step, epoch, *scalars = zip(*kept, strict=True) if kept else ((),) * len(columns)
    return SearchCurves(len(rows), step, epoch, *scalars)


def extremes(rows: Sequence[Sequence[float | None]], max_points: int) -> list[int]:
    """Return which rows to keep: in each of equal stretches those where a column is least or greatest.

    All of them, if there are no more than ``max_points``.
    """
    if len(rows) <= max_points:
        return list(range(len(rows)))
    num_stretches = max(1, (max_points - 2) // (2 * len(rows[0])))
    kept = {0, len(rows) - 1}
    for stretch in range(num_stretches):
        indices = range(stretch * len(rows) // num_stretches, (stretch + 1) * len(rows) // num_stretches)
        for column in range(len(rows[0])):
            known = {index: value for index in indices if (value := rows[index][column]) is not None}
            if known:
                kept |= {min(known, key=known.__getitem__), max(known, key=known.__getitem__)}
    return sorted(kept)
