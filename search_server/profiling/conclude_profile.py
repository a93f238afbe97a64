"""How long a profile goes on: until its table repeats well enough, or until it plainly will not. Pure.

The verdict is asked after every window from the fewest on, so luck gets several chances. They hardly help
it: each look shares its windows with the one before, and the figures fall as windows come in, so the last
look is the easiest. Where entries err independently, tables that end 10 % above the limits pass one look
at the end in 9 % of cases and seven looks in 11 %; 20 % above, 1 % either way (``tests/profiling`` repeats
this). And the limits are on how two such tables would differ, 1.4 times as much as one errs.
"""

import math
from dataclasses import dataclass, replace
from datetime import datetime

from search_server.latency.estimate.fit import MAX_REPEAT_MEDIAN, MAX_REPEAT_P95, fit_table
from search_server.latency.estimate.observations import UnfittableError
from search_server.latency.table import LatencyTable
from search_server.latency.verdict import Verdict
from search_server.profiling.evidence import (
    ACCEPT_NOISE,
    Evidence,
    Failed,
    Window,
    accepted_noise,
    reasons_of,
)
from search_server.profiling.plan import (
    ANCHOR_ID,
    MAX_LOST_WINDOWS,
    MAX_PROFILE_LEASES,
    MIN_PROFILE_LEASES,
    OVERHEAD_S,
    PROFILE_WINDOW_S,
)
from search_server.resources.tables import Outlook

HOPELESS = 2
"""A profile ends early if by its median entry it needs so many times the most windows."""

_REMEDY = (
    "Stop what else runs on the device, let it cool, fix its clock if you can ('profiler-agent selftest' "
    f"tells how), then profile again. {ACCEPT_NOISE}"
)


@dataclass(frozen=True, slots=True)
class MeasureOn:
    """One more window is needed."""

    outlook: Outlook


@dataclass(frozen=True, slots=True)
class Fitted:
    """A table came out; its verdict says whether it may be used."""

    table: LatencyTable


def conclude_profile(evidence: Evidence, now: datetime) -> MeasureOn | Fitted | Failed:
    """Fit a table once there are enough windows; go on, or give up, by what it lacks."""
    last = evidence.leases[-1][1]
    if all(result.status in ("unsupported", "error") for result in last):
        return Failed(f"nothing could be measured: {reasons_of(last)}")
    windows = evidence.windows
    good = [window for window in windows if is_good(window)]
    num_left = MAX_PROFILE_LEASES - len(windows)
    if _num_lost_last(windows) >= MAX_LOST_WINDOWS or len(good) + num_left < MIN_PROFILE_LEASES:
        lost = [result for window in windows for result in window]
        return Failed(
            f"{len(windows) - len(good)} of {len(windows)} windows gave no numbers: {reasons_of(lost)}. "
            f"{_REMEDY}"
        )
    table, lack = _fit(evidence, now) if len(good) > 1 else (None, "")
    verdict = table.verdict if table else None
    if table is not None and verdict is not None and len(good) >= MIN_PROFILE_LEASES:
        has_ended = verdict.is_accepted or is_hopeless(verdict, len(good)) or num_left <= 0
        if has_ended:
            return Fitted(replace(table, verdict=_with_accepted_noise(verdict, evidence)))
    if num_left <= 0:
        return Failed(f"no table after {len(windows)} windows: {lack}. {_REMEDY}")
    return MeasureOn(outlook(evidence, verdict))


def is_good(window: Window) -> bool:
    """Return whether a window says something: its anchor and at least one other network are ``ok``."""
    is_ok = {result.item_id == ANCHOR_ID for result in window if result.status == "ok"}
    return is_ok == {True, False}


def windows_needed(verdict: Verdict, num_windows: int) -> int:
    """Return after how many windows in all the repeatability would meet its limits.

    What two tables differ by falls with the square root of the number of windows; other reasons against
    a table do not show in this.
    """
    excess = max(verdict.repeat_median / MAX_REPEAT_MEDIAN, verdict.repeat_p95 / MAX_REPEAT_P95)
    return max(num_windows, math.ceil(num_windows * excess**2))


def is_hopeless(verdict: Verdict, num_windows: int) -> bool:
    """Return whether the most windows are far too few.

    Only the median says so: one disturbed window is enough to lift the worst entries, and calmer ones
    bring them down again faster than any projection has it.
    """
    by_median = num_windows * (verdict.repeat_median / MAX_REPEAT_MEDIAN) ** 2
    return by_median > HOPELESS * MAX_PROFILE_LEASES


def outlook(evidence: Evidence, verdict: Verdict | None) -> Outlook:
    """Return how far a profile is, and how long it will probably go on.

    Args:
        evidence: all windows so far.
        verdict: over them; None if they are too few for one.
    """
    windows = evidence.windows
    num_good = sum(map(is_good, windows))
    needed = max(MIN_PROFILE_LEASES, num_good + 1)
    if verdict is not None:
        needed = max(needed, windows_needed(verdict, num_good))
    num_more = min(needed - num_good, MAX_PROFILE_LEASES - len(windows))
    own = [max(result.device_s for result in results) for _, results in evidence.leases]
    window_s = sum(own) / len(own) if own and all(own) else PROFILE_WINDOW_S + OVERHEAD_S
    return Outlook(
        num_windows=num_good,
        num_kept=len(evidence.kept),
        num_lost=len(windows) - num_good,
        num_more=num_more,
        time_left_s=num_more * window_s,
        repeat_median=verdict.repeat_median if verdict else None,
        repeat_median_limit=MAX_REPEAT_MEDIAN,
        repeat_p95=verdict.repeat_p95 if verdict else None,
        repeat_p95_limit=MAX_REPEAT_P95,
        reasons=verdict.reasons if verdict else (),
    )


def describe(view: Outlook) -> str:
    """Return an outlook as people read it."""
    parts = [f"{view.num_windows} window{'' if view.num_windows == 1 else 's'} measured"]
    if view.num_kept:
        parts[0] += f" ({view.num_kept} by the profile before)"
    if view.num_lost:
        parts.append(f"{view.num_lost} lost")
    if view.repeat_median is not None and view.repeat_p95 is not None:
        worst = view.repeat_p95 / view.repeat_p95_limit > view.repeat_median / view.repeat_median_limit
        name, value, limit = (
            ("repeat of 19 entries in 20", view.repeat_p95, view.repeat_p95_limit)
            if worst
            else ("repeat", view.repeat_median, view.repeat_median_limit)
        )
        parts.append(f"{name} {100 * value:.1f} % of {100 * limit:.1f} %")
    parts.append(f"about {view.time_left_s:.0f} s more")
    return ", ".join(parts)


def acceptance(table: LatencyTable, snapshot: str) -> str:
    """Return that a table may be used, and what was accepted with it."""
    assert table.verdict is not None
    against = f": {'; '.join(table.verdict.reasons)}" if table.verdict.reasons else ""
    return f"table {snapshot} is {table.verdict.word}{against}"


def refusal(table: LatencyTable, evidence: Evidence) -> str:
    """Return why a table may not be used, and what would help."""
    verdict = table.verdict
    assert verdict is not None
    num_windows = sum(map(is_good, evidence.windows))
    needed = windows_needed(verdict, num_windows)
    rate = ""
    if needed > MAX_PROFILE_LEASES:
        rate = f"; at this rate it takes about {needed} windows, the most are {MAX_PROFILE_LEASES}"
    return (
        f"after {num_windows} windows of {PROFILE_WINDOW_S:g} s the table is refused: "
        f"{'; '.join(verdict.reasons)}{rate}. {_REMEDY}"
    )


def _fit(evidence: Evidence, now: datetime) -> tuple[LatencyTable | None, str]:
    """Return a table with the remarks of its windows, or None and what is missing."""
    covers = {item.item_id: item.network for item in evidence.items if item.profile_segments}
    families = {
        item.item_id: item.network
        for item in evidence.items
        if not item.is_anchor and not item.profile_segments
    }
    results = [result for window in evidence.windows for result in window]
    try:
        table = fit_table(
            evidence.space,
            evidence.device_id,
            evidence.conditions,
            covers,
            ANCHOR_ID,
            results,
            now.isoformat(),
            families,
        )
    except UnfittableError as error:
        return None, str(error)
    assert table.verdict is not None
    notes = (*table.verdict.notes, *_notes(evidence))
    return replace(table, verdict=replace(table.verdict, notes=notes)), ""


def _notes(evidence: Evidence) -> tuple[str, ...]:
    """Return what a reader of the table should know: remarks of its windows, and the windows it lost."""
    windows = evidence.windows
    remarks = {r.reason for window in windows for r in window if r.status == "ok" and r.reason}
    lost = [window for window in windows if not is_good(window)]
    if lost:
        reasons = reasons_of([result for window in lost for result in window])
        remarks.add(f"{len(lost)} of {len(windows)} windows gave no numbers: {reasons}")
    return tuple(sorted(remarks))


def _with_accepted_noise(verdict: Verdict, evidence: Evidence) -> Verdict:
    """Return the verdict, lifted if the request accepts the noise that speaks against it or its windows."""
    noise = accepted_noise(evidence.windows)
    if not evidence.accept_noise or not (verdict.reasons or noise):
        return verdict
    notes = (*verdict.notes, noise) if noise else verdict.notes
    return replace(verdict, is_accepted=True, is_noise_accepted=True, notes=notes)


def _num_lost_last(windows: tuple[Window, ...]) -> int:
    """Return how many windows in a row, counted from the last, gave no numbers."""
    lost = 0
    for window in reversed(windows):
        if is_good(window):
            break
        lost += 1
    return lost
