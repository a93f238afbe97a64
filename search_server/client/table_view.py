"""A latency table in words: summary, conditions, verdict."""

import math
from collections.abc import Iterable
from datetime import UTC, datetime

from rich.table import Table as Grid
from rich.text import Text

from search_server.client.grid import grid
from search_server.client.show import age, count, interval, milliseconds, owner_words, share
from search_server.latency.verdict import Verdict
from search_server.resources.latencies import NamedPrediction
from search_server.resources.tables import TableDiff, TableSummary


def verdict_text(verdict: Verdict | None) -> Text:
    """Return accepted or not, the figures that decide it, every reason against it, and notes."""
    if verdict is None:
        return Text("none: the table was imported, or is not complete")
    colour = "yellow" if verdict.is_noise_accepted else "green" if verdict.is_accepted else "red"
    text = Text.assemble(
        (verdict.word, f"bold {colour}"),
        f": a network that was not measured is predicted to {share(verdict.cover_scatter)}; measured "
        f"again, half of the entries would differ by less than {share(verdict.repeat_median)}, 19 of 20 "
        f"by less than {share(verdict.repeat_p95)}; the device repeats whole networks to "
        f"{share(verdict.noise_ceiling)}, and its usual time is {verdict.anchor_spread:.2f} times its best",
    )
    for reason in verdict.reasons:
        text.append(f"\n- {reason}", style="red")
    for note in verdict.notes:
        text.append(f"\n- {note}", style="yellow")
    return text


def summary_facts(summary: TableSummary) -> dict[str, str | Text]:
    """Return what a table is, for :func:`search_server.client.show.facts`."""
    shown: dict[str, str | Text] = {
        "snapshot": summary.snapshot,
        "device": f"{summary.device_name} ({summary.device_id})",
        "space": summary.space,
        "conditions": str(summary.conditions),
        "created": f"{summary.created_at} ({age(summary.created_at, datetime.now(UTC))})",
        "owner": owner_words(summary.owner, summary.is_private),
        "origin": origin(summary),
        "anchor": f"{milliseconds(summary.anchor_us)} ms",
        "networks take": "unknown: cells are missing"
        if summary.fastest_us is None or summary.slowest_us is None
        else f"{milliseconds(summary.fastest_us)} to {milliseconds(summary.slowest_us)} ms",
        "coverage": f"{summary.num_measured} of {summary.num_entries} entries",
        "verdict": verdict_text(summary.verdict),
        "newest check": _check_text(summary),
    }
    if summary.warnings:
        shown["warnings"] = Text("\n".join(f"- {warning}" for warning in summary.warnings), style="yellow")
    return shown


def origin(summary: TableSummary) -> str:
    """Return where a table's numbers come from; simulated ones always say so."""
    if not summary.is_simulated:
        return summary.source
    return "simulated" if summary.source == "measured" else f"{summary.source}, simulated"


def standing(summary: TableSummary) -> str:
    """Return in a word or two whether a table is used."""
    if summary.verdict is not None and not summary.verdict.is_accepted:
        return "not accepted"
    if summary.drift is not None and summary.drift.outcome == "stale":
        return f"stale: {summary.drift}"
    if summary.superseded_by is not None:
        return "superseded"
    return summary.verdict.word if summary.verdict else "-"


def chain(summary: TableSummary, relatives: Iterable[TableSummary]) -> list[TableSummary]:
    """Return a table and those that it follows from, as far as they are among ``relatives``."""
    known = {relative.snapshot: relative for relative in relatives}
    links = [summary]
    while links[-1].lineage.parent in known:
        links.append(known[links[-1].lineage.parent])
    return links


def history_grid(tables: Iterable[TableSummary]) -> Grid:
    """Return one table a line: when and how it came to be, and what changed against its parent."""
    history = grid("snapshot", "created", "verdict", ">anchor ms", "reason", "change", "parent")
    for table in tables:
        history.add_row(
            table.snapshot,
            table.created_at[:16].replace("T", " "),
            standing(table),
            milliseconds(table.anchor_us),
            table.lineage.reason,
            table.lineage.change,
            table.lineage.parent or "",
        )
    return history


def diff_facts(diff: TableDiff) -> dict[str, str | Text]:
    """Return how two tables differ as a whole, for :func:`search_server.client.show.facts`."""
    num_pairs = math.comb(len(diff.networks), 2)
    return {
        "A": _identity(diff.a),
        "B": _identity(diff.b),
        "conditions": _likeness(diff),
        "B over A": f"{diff.ratio_median:.3f} (median of the cells)",
        "rank correlation": f"{diff.rank_correlation:.3f}",
        "rank changes": f"{diff.num_rank_changes} of {len(diff.cells)} cells",
        "known networks": f"{diff.num_flipped_pairs} of {num_pairs} pairs change order",
    }


def network_diffs_grid(diff: TableDiff) -> Grid:
    """Return one known network a line, the fastest of A first: both predictions, ratio and ranks."""
    table = grid("network", ">A ms", ">B ms", ">B/A", ">rank in A", ">in B")
    for each in sorted(diff.networks, key=lambda each: each.rank_a):
        table.add_row(
            each.name,
            milliseconds(each.a_us),
            milliseconds(each.b_us),
            f"{each.ratio:.3f}",
            str(each.rank_a + 1),
            str(each.rank_b + 1),
        )
    return table


def networks_grid(networks: Iterable[NamedPrediction]) -> Grid:
    """Return one known network a line: its size, and what a table predicts."""
    table = grid("network", ">predicted ms", ">90 % interval", ">MACs", ">params")
    for each in networks:
        table.add_row(
            each.name,
            milliseconds(each.latency_us),
            interval(each.low_us, each.high_us) if each.latency_us is not None else "cells are missing",
            count(each.macs),
            count(each.params),
        )
    return table


def _likeness(diff: TableDiff) -> str | Text:
    """Say plainly where two tables do not compare like with like."""
    a, b = diff.a, diff.b
    unlike = [
        f"{name} {one} against {other}"
        for name, one, other in (
            ("device", a.device_name, b.device_name),
            ("conditions", a.conditions, b.conditions),
            ("origin", origin(a), origin(b)),
        )
        if one != other
    ]
    return Text(f"unlike: {'; '.join(unlike)}", style="yellow") if unlike else "alike"


def _check_text(summary: TableSummary) -> str:
    drift = summary.drift
    if drift is None:
        return f"none; 'edgenas tables check {summary.snapshot}' makes one"
    when = age(drift.found_at, datetime.now(UTC))
    return f"{when}: {drift}, {drift.outcome}{f' to {drift.rescaled_to}' if drift.rescaled_to else ''}"


def _identity(summary: TableSummary) -> str:
    is_simulated = ", simulated" if summary.is_simulated else ""
    return f"{summary.snapshot}, {summary.device_name}, {summary.conditions}{is_simulated}"
