"""Results of leases -> what they say of a space: a time per segment, and measured whole networks."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from search_server.latency.estimate.median_polish import ProfileTimes, profile_times
from search_server.latency.estimate.relative import RelativeLatency
from shared.protocol.measurement import Result
from shared.workload import IDENTITY_KEY, Workload


class UnfittableError(ValueError):
    """The results do not hold what a table needs; the message says what is missing."""


@dataclass(frozen=True, slots=True)
class Observed:
    """A whole network that was measured."""

    workload: Workload
    latency_units: float
    relative_error: float
    """Standard error of the measurement, as a share of it."""
    is_kin: bool
    """One candidate throughout."""


@dataclass(frozen=True, slots=True)
class Observations:
    """What some leases say of a space, for as many segments as they hold."""

    profile: ProfileTimes
    """All of the networks' segments among them."""
    networks: tuple[Observed, ...]


@dataclass(frozen=True, slots=True)
class Networks:
    """What was to be measured for a table, by item id."""

    covers: Mapping[str, Workload]
    families: Mapping[str, Workload]
    anchor_id: str


def observe(
    networks: Networks, relative: Mapping[str, RelativeLatency], results: Sequence[Result]
) -> Observations:
    """Return what these results say.

    Args:
        networks: what was to be measured.
        relative: what the results say of each item as a whole.
        results: with status ``ok``.

    Raises:
        UnfittableError: the profile shows no time in a network.
    """
    covers = _measured(networks.covers, relative, results)
    profile = profile_times(results, covers, {name: relative[name].ratio for name in covers})
    timed = {key for key, segment in profile.segments.items() if segment.wall_us}
    if any(timed.isdisjoint(cover.segment_keys()) for cover in covers.values()):
        raise UnfittableError(
            "the runtime's profile shows no time at all in a whole network: its nodes take less than "
            "the profiler's microsecond; measure a wider space or a larger resolution"
        )
    families = {
        name: family
        for name, family in networks.families.items()
        if name in relative
        and _segments_of([family]) <= profile.segments.keys()
        # That of skips may show none, where covers do.
        and not timed.isdisjoint(family.segment_keys())
    }
    observed = tuple(
        Observed(workload, relative[name].ratio, relative[name].relative_error, is_kin)
        for workloads, is_kin in ((covers, False), (families, True))
        for name, workload in workloads.items()
    )
    return Observations(profile, observed)


def require_segments(
    networks: Networks, relative: Mapping[str, RelativeLatency], results: Sequence[Result]
) -> None:
    """Check that the covers that were measured plain and profiled hold all segments.

    Raises:
        UnfittableError: they do not, or nothing was profiled.
    """
    covers = networks.covers
    measured = _measured(covers, relative, results)
    profiled = any(result.nodes for result in results if result.status == "ok")
    if not profiled and any(result.status == "ok" for result in results):
        raise UnfittableError("the results carry no node times; lease the covers with profile_segments")
    if not measured or _segments_of(covers.values()) - _segments_of(measured.values()):
        missing = ", ".join(sorted(set(covers) - set(measured)))
        reasons = "; ".join(sorted({f"{r.status}: {r.reason}" for r in results if r.status != "ok"}))
        raise UnfittableError(f"no usable measurement of {missing} ({reasons or 'no results'})")


def _measured(
    covers: Mapping[str, Workload], relative: Mapping[str, RelativeLatency], results: Sequence[Result]
) -> dict[str, Workload]:
    """Return the covers that were measured plain and profiled."""
    profiled = {result.item_id for result in results if result.status == "ok" and result.nodes}
    return {name: covers[name] for name in covers if name in relative and name in profiled}


def _segments_of(workloads: Iterable[Workload]) -> set[str]:
    return {key for workload in workloads for key in workload.segment_keys()} - {IDENTITY_KEY}
