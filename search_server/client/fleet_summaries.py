"""What many devices gave: a line for each at the end of ``profile``, ``measure`` and ``check``."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from search_server.client.commands import out, print_json
from search_server.client.fleet import Outcome
from search_server.client.fleet_view import require_all, result_text
from search_server.client.grid import grid
from search_server.client.measured_view import measured_document
from search_server.client.show import milliseconds
from search_server.resources.checks import Drift, TableCheck
from search_server.resources.latencies import Measurement
from search_server.resources.tables import Profile

T = TypeVar("T")

Profiled = tuple[Profile, Drift | None]


def show_profiles(outcomes: Sequence[Outcome[Profiled]], json: bool) -> None:
    """Print what profiling gave on each device; ends with status 1 if it failed on one."""
    if json:
        _print_documents(outcomes, lambda profiled: {"profile": profiled[0]})
    else:
        table = grid("device", "table", ">entries", ">device s", "result")
        for outcome in outcomes:
            profile, drift = outcome.value or (None, None)
            table.add_row(
                outcome.device,
                (profile.snapshot if profile else None) or "-",
                str(profile.num_entries) if profile else "-",
                f"{profile.device_time_s:.1f}" if profile else "-",
                result_text(outcome, _profile_result(profile, drift) if profile else ""),
            )
        out.print(table)
    require_all(outcomes)


def show_measurements(
    outcomes: Sequence[Outcome[Measurement]], names: Mapping[str, str], json: bool
) -> None:
    """Print the milliseconds of each network on each device; ends with status 1 if one failed.

    Args:
        outcomes: one a device.
        names: what the caller called each network.
        json: print a document instead.
    """
    if json:
        _print_documents(
            outcomes,
            lambda measurement: {
                "latencies": [
                    measured_document(names[one.architecture], one, measurement.job.conditions.batch)
                    for one in measurement.latencies
                ]
            },
        )
    else:
        table = grid("device", *(f">{name} ms" for name in names.values()), "result")
        for outcome in outcomes:
            latencies = outcome.value.latencies if outcome.value else ()
            measured = {one.architecture: milliseconds(one.latency_us) for one in latencies}
            is_simulated = any(one.is_simulated for one in latencies)
            table.add_row(
                outcome.device,
                *(measured.get(architecture, "-") for architecture in names),
                result_text(outcome, "measured, simulated" if is_simulated else "measured"),
            )
        out.print(table)
    require_all(outcomes)


def show_checks(outcomes: Sequence[Outcome[TableCheck]], json: bool) -> None:
    """Print how each table stands; ends with status 1 if a check failed."""
    if json:
        _print_documents(outcomes, lambda check: {"check": check})
    else:
        table = grid("table", "outcome", "drift")
        for outcome in outcomes:
            drift = outcome.value.drift if outcome.value else None
            table.add_row(
                outcome.device,
                result_text(outcome, drift.outcome if drift else "nothing found"),
                str(drift) if drift else "-",
            )
        out.print(table)
    require_all(outcomes)


def _profile_result(profile: Profile, drift: Drift | None) -> str:
    if drift is not None:
        return f"was there, checked: {drift.outcome}"
    if profile.is_reused:
        return "was there, nothing measured"
    is_accepted = profile.verdict is not None and profile.verdict.is_accepted
    return "accepted" if is_accepted else "not accepted"


def _print_documents(outcomes: Sequence[Outcome[T]], describe: Callable[[T], dict[str, Any]]) -> None:
    """Print one JSON list: the device, the error if there is one, and what ``describe`` returns."""
    print_json(
        [
            {
                "device": outcome.device,
                "error": outcome.error,
                **(describe(outcome.value) if outcome.value is not None else {}),
            }
            for outcome in outcomes
        ]
    )
