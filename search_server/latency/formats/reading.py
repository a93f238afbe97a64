"""What every reader of a foreign file takes and gives, and how latencies by segment become a table."""

from collections.abc import Mapping
from dataclasses import dataclass

from search_server.latency.table import LatencyTable, TableEntry
from shared.architecture import anchor_architecture
from shared.protocol.device import Conditions
from shared.search_space import SearchSpace, search_space
from shared.workload import IDENTITY_KEY

UNIT_WITHOUT_ANCHOR_US = 1000.0
"""Entries are in units of the anchor network; where a file lacks that, a unit is a millisecond."""

_MAX_LISTED = 12


@dataclass(frozen=True, slots=True)
class ImportedFile:
    """A file and what its sender says of it."""

    content: bytes
    device: str
    """The device's name, in the file too where that holds several."""
    created_at: str
    """UTC, ISO 8601."""
    space: str | None = None
    conditions: Conditions | None = None
    """None: what the format's files were measured under."""

    def require_space(self) -> SearchSpace:
        """Return the space onto which the file is to be mapped.

        Raises:
            ValueError: none was named, or there is no such space.
        """
        if self.space is None:
            raise ValueError(
                "files of this format do not tell a search space; name the one to fill, such as fbnet-224"
            )
        return search_space(self.space)

    def forbid_conditions(self) -> None:
        """Raise ValueError if conditions were given although the file tells its own."""
        if self.conditions is not None:
            raise ValueError("files of this format tell their own conditions; leave the runtime out")


@dataclass(frozen=True, slots=True)
class ReadLatency:
    """The latency of a segment as a file tells it."""

    us: float
    sigma_us: float | None = None
    """Standard error of ``us``; None: the file tells none."""
    num_samples: int = 0


@dataclass(frozen=True, slots=True)
class ReadTable:
    """A table as read, and what a person should know of how it was read."""

    table: LatencyTable
    remarks: tuple[str, ...] = ()


def table_of_latencies(
    file: ImportedFile,
    space: SearchSpace,
    latencies: Mapping[str, ReadLatency],
    conditions: Conditions,
    source: str,
    is_simulated: bool = False,
) -> ReadTable:
    """Return the table that latencies by segment key give; keys that are not there stay missing.

    Raises:
        ValueError: there is no latency at all, or the anchor network costs nothing.
    """
    if not latencies:
        raise ValueError(f"nothing in the file fits a cell of space {space.name}")
    keys = [key for key in anchor_architecture(space).workload().segment_keys() if key != IDENTITY_KEY]
    has_anchor = all(key in latencies for key in keys)
    anchor_us = sum(latencies[key].us for key in keys) if has_anchor else UNIT_WITHOUT_ANCHOR_US
    if not anchor_us > 0:
        raise ValueError(
            f"the anchor network of space {space.name} must cost something, got {anchor_us} us"
        )
    table = LatencyTable(
        space=space.name,
        device_id="",
        conditions=conditions,
        anchor_us=anchor_us,
        entries={key: _entry(latency, anchor_us) for key, latency in latencies.items()},
        network_sigma=0.0,
        created_at=file.created_at,
        source=source,
        is_simulated=is_simulated,
    )
    return ReadTable(table, _missing_remarks(table, has_anchor))


def _entry(latency: ReadLatency, anchor_us: float) -> TableEntry:
    sigma_units = None if latency.sigma_us is None else latency.sigma_us / anchor_us
    return TableEntry(latency.us / anchor_us, sigma_units, latency.num_samples, "imported")


def _missing_remarks(table: LatencyTable, has_anchor: bool) -> tuple[str, ...]:
    cells = table.cells()
    missing = [f"{cell.layer} {cell.block}".strip() for cell in cells if cell.status == "missing"]
    if not missing:
        return ()
    more = f" and {len(missing) - _MAX_LISTED} more" if len(missing) > _MAX_LISTED else ""
    remark = f"{len(missing)} of {len(cells)} cells are not in the file and have no latency: "
    remark += ", ".join(missing[:_MAX_LISTED]) + more
    remark += "; predictions and searches take the others only"
    if has_anchor:
        return (remark,)
    unit = f"{UNIT_WITHOUT_ANCHOR_US / 1000:g} ms"
    return (remark, f"the anchor network is not complete: the table's unit is {unit} in its stead")
