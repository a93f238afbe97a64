"""A latency table in words: summary, conditions, verdict."""

from datetime import UTC, datetime

from rich.text import Text

from search_server.client.show import age, milliseconds, share
from search_server.resources.tables import TableDiff, TableSummary, Verdict


def verdict_text(verdict: Verdict | None) -> Text:
    """Return accepted or not, the figures that speak for it, and every reason against it."""
    if verdict is None:
        return Text("none: the table was imported, or is not complete")
    word = ("accepted", "bold green") if verdict.is_accepted else ("not accepted", "bold red")
    text = Text.assemble(
        word,
        f"; covers scatter {share(verdict.cover_scatter)}, odd and even rounds differ "
        f"{share(verdict.repeat_median)} (p95 {share(verdict.repeat_p95)}), "
        f"noise ceiling {share(verdict.noise_ceiling)}, anchor spread {verdict.anchor_spread:.2f}",
    )
    for reason in verdict.reasons:
        text.append(f"\n- {reason}", style="red")
    return text


def summary_facts(summary: TableSummary) -> dict[str, str | Text]:
    """Return what a table is, for :func:`search_server.client.show.facts`."""
    shown: dict[str, str | Text] = {
        "snapshot": summary.snapshot,
        "device": f"{summary.device_name} ({summary.device_id})",
        "space": summary.space,
        "conditions": str(summary.conditions),
        "created": f"{summary.created_at} ({age(summary.created_at, datetime.now(UTC))})",
        "origin": origin(summary),
        "anchor": f"{milliseconds(summary.anchor_us)} ms",
        "coverage": f"{summary.num_measured} of {summary.num_entries} entries",
        "verdict": verdict_text(summary.verdict),
    }
    if summary.warnings:
        shown["warnings"] = Text("\n".join(f"- {warning}" for warning in summary.warnings), style="yellow")
    return shown


def origin(summary: TableSummary) -> str:
    """Return where a table's numbers come from; simulated ones always say so."""
    if not summary.is_simulated:
        return summary.source
    return "simulated" if summary.source == "measured" else f"{summary.source}, simulated"


def diff_facts(diff: TableDiff) -> dict[str, str | Text]:
    """Return how two tables differ as a whole, for :func:`search_server.client.show.facts`."""
    return {
        "A": _identity(diff.a),
        "B": _identity(diff.b),
        "B over A": f"{diff.ratio_median:.3f} (median of the cells)",
        "rank correlation": f"{diff.rank_correlation:.3f}",
        "rank changes": f"{diff.num_rank_changes} of {len(diff.cells)} cells",
    }


def _identity(summary: TableSummary) -> str:
    is_simulated = ", simulated" if summary.is_simulated else ""
    return f"{summary.snapshot}, {summary.device_name}, {summary.conditions}{is_simulated}"
