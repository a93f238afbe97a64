"""The latency table: one entry per distinct segment of a search space, immutable, named by its hash.

Entries are in units of the anchor network: the structure of a table repeats within a few percent from
process to process while its absolute level drifts. ``anchor_us`` turns units into microseconds.
"""

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from search_server.latency.neighbours import Neighbours
from search_server.latency.normal import Z_90
from search_server.latency.verdict import Verdict
from search_server.resources.tables import TableCell
from shared.architecture import Architecture
from shared.macro_architecture import PlacedSegment
from shared.protocol.device import Conditions
from shared.protocol.wire import from_json, to_json
from shared.search_space import SearchSpace, search_space
from shared.workload import IDENTITY_KEY


class MissingLatencyError(ValueError):
    """The table lacks cells that a network needs; the message lists them."""


@dataclass(frozen=True, slots=True)
class TableEntry:
    """The latency of one distinct segment."""

    latency_units: float
    """In units of the anchor network's latency."""
    sigma_units: float | None
    """Standard error of ``latency_units``; None: unknown, as in most tables of other programs."""
    num_samples: int
    status: str = "ok"


@dataclass(frozen=True, slots=True)
class PredictedLatency:
    """A predicted, not measured, latency with a 90 % interval, in microseconds."""

    latency_us: float
    low_us: float | None
    """None, as ``high_us``: the table does not tell the error of a segment."""
    high_us: float | None


@dataclass(frozen=True, slots=True)
class LatencyTable:
    """An immutable snapshot of all that was measured for one space, device and set of conditions."""

    space: str
    device_id: str
    conditions: Conditions
    anchor_us: float
    """Latency of the anchor network while the table was measured."""
    entries: Mapping[str, TableEntry]
    """By segment key."""
    network_sigma: float
    """Relative error of a whole network's prediction that the entries' own errors do not explain."""
    created_at: str
    verdict: Verdict | None = None
    source: str = "measured"
    is_simulated: bool = False
    neighbours: Neighbours = Neighbours()

    @property
    def snapshot(self) -> str:
        """The hash of the content, the time of creation left out: 16 hex digits."""
        content = json.loads(self.to_json())
        del content["created_at"]
        if not self.conditions.accelerator:
            del content["conditions"]["accelerator"]
        if self.neighbours == Neighbours():
            del content["neighbours"]
        if not self.is_noise_accepted and self.verdict is not None:
            # Snapshots from before this field stay what they were.
            del content["verdict"]["is_noise_accepted"]
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]

    def to_json(self) -> str:
        """Return the table as JSON on one line."""
        return to_json(self)

    @classmethod
    def from_json(cls, text: str | bytes) -> "LatencyTable":
        """Build a table from its JSON.

        Raises:
            WireError: the text is not a table.
        """
        return from_json(text, cls)

    @property
    def is_accepted(self) -> bool:
        """Whether it may be used: no verdict speaks against it."""
        return self.verdict is None or self.verdict.is_accepted

    @property
    def _next_step(self) -> str:
        """What one does about a cell that is not there."""
        if self.source == "measured":
            return f"profile space {self.search_space.name!r} on this device"
        return "import a file that has them, or take networks of the cells that are there"

    @property
    def is_noise_accepted(self) -> bool:
        """Whether it may be used only because who measured it accepted the noise of its device."""
        return self.verdict is not None and self.verdict.is_noise_accepted

    @property
    def search_space(self) -> SearchSpace:
        return search_space(self.space)

    @property
    def candidates(self) -> tuple[str, ...]:
        return self.search_space.candidates

    @property
    def num_layers(self) -> int:
        return self.search_space.num_layers

    def cells(self) -> tuple[TableCell, ...]:
        """Return stem, every layer x candidate in order, head; cells without a measurement too."""
        return tuple(self._cell(placed) for placed in self.search_space.segments())

    def predict(self, architecture: Architecture) -> PredictedLatency:
        """Return the latency of a network: the sum over its segments, and what their neighbourhoods add.

        Raises:
            MissingLatencyError: the table lacks a segment of this network.
        """
        workload = architecture.workload()
        keys = workload.segment_keys()
        missing = [
            segment.name
            for segment, key in zip(workload.segments, keys, strict=True)
            if key != IDENTITY_KEY and key not in self.entries
        ]
        if missing:
            raise MissingLatencyError(
                f"table {self.snapshot} of space {self.space!r} has no latency for {', '.join(missing)} "
                f"of {architecture}; {self._next_step}"
            )
        entries = [self.entries[key] for key in keys if key != IDENTITY_KEY]
        units = self.neighbours.network_units(sum(entry.latency_units for entry in entries), architecture)
        # An entry that stands in several layers errs in the same direction in each of them.
        by_key: dict[str, float] = {}
        level = self.anchor_us
        for key in keys:
            if key != IDENTITY_KEY:
                sigma = self.entries[key].sigma_units
                if sigma is None:
                    return PredictedLatency(units * level, None, None)
                by_key[key] = by_key.get(key, 0.0) + sigma
        variance = sum(sigma**2 for sigma in by_key.values()) + (units * self.network_sigma) ** 2
        half = Z_90 * math.sqrt(variance)
        return PredictedLatency(units * level, max(0.0, units - half) * level, (units + half) * level)

    def predict_us(self, architecture: Architecture) -> float:
        """Return the latency that :meth:`predict` gives, microseconds."""
        return self.predict(architecture).latency_us

    def latency_us_LK(self) -> list[list[float]]:
        """Return the latency of every candidate K in every layer L, microseconds.

        With ``fixed_us`` this is the sum over layers that is nearest to the predictions: an entry, and
        what the candidate's changes of memory layout cost in the mean, against those of an identity.

        A candidate whose cell the table lacks has ``math.inf``.

        Raises:
            MissingLatencyError: a layer has no cell at all.
        """
        own_LK = [
            [self._latency_us(each) if self._has(each) else math.inf for each in row]
            for row in self.search_space.candidate_segments()
        ]
        for layer, row in zip(self.search_space.layers, own_LK, strict=True):
            if math.inf in row and min(row) == math.inf:
                raise MissingLatencyError(
                    f"table {self.snapshot} of space {self.space!r} has no cell of {layer.name} at all: no "
                    f"network can be predicted; {self._next_step}"
                )
        usual_LK = self._usual_us_LK() - self._identity_us_L()[:, None]
        latency_us_LK: list[list[float]] = (np.array(own_LK) + usual_LK).tolist()
        return latency_us_LK

    @property
    def fixed_us(self) -> float:
        """Latency of stem and head together, and of layouts in a network of identities, microseconds."""
        own_us = sum(self._latency_us(placed) for placed in self._fixed_segments())
        return own_us + float(self._identity_us_L().sum())

    def latency_range_us(self) -> tuple[float, float]:
        """Return the predicted latency of the fastest and of the slowest network that has all its cells.

        Raises:
            MissingLatencyError: a layer, stem or head has none.
        """
        rows = [[us for us in row if us < math.inf] for row in self.latency_us_LK()]
        return (
            self.fixed_us + sum(min(row) for row in rows),
            self.fixed_us + sum(max(row) for row in rows),
        )

    def _usual_us_LK(self) -> NDArray[np.float64]:
        """Return what neighbours usually add to each candidate."""
        return self.anchor_us * self.neighbours.usual_units_LK(self.search_space)

    def _identity_us_L(self) -> NDArray[np.float64]:
        """Return the same of the identity in layers that have one, else 0."""
        is_identity_LK = [
            [not each.segment.operators for each in row] for row in self.search_space.candidate_segments()
        ]
        identity_us_L: NDArray[np.float64] = np.where(is_identity_LK, self._usual_us_LK(), 0.0).sum(1)
        return identity_us_L

    def _fixed_segments(self) -> list[PlacedSegment]:
        return [placed for placed in self.search_space.segments() if placed.layer is None]

    def _has(self, placed: PlacedSegment) -> bool:
        return placed.key == IDENTITY_KEY or placed.key in self.entries

    def _latency_us(self, placed: PlacedSegment) -> float:
        key = placed.key
        if key == IDENTITY_KEY:
            return 0.0
        if key not in self.entries:
            raise MissingLatencyError(
                f"table {self.snapshot} of space {self.space!r} lacks a cell of {placed.segment.name}; "
                f"{self._next_step}"
            )
        return self.entries[key].latency_units * self.anchor_us

    def _cell(self, placed: PlacedSegment) -> TableCell:
        key = placed.key
        where = placed.segment.name, placed.block, key
        cell = self._timed_cell(key, where)
        return replace(
            cell,
            input_shape=placed.input_shape,
            output_shape=placed.segment.output_shape(placed.input_shape),
            macs=placed.segment.macs(placed.input_shape),
            params=placed.segment.num_params,
        )

    def _timed_cell(self, key: str, where: tuple[str, str, str]) -> TableCell:
        """Return a cell without what its segment computes."""
        if key == IDENTITY_KEY:
            return TableCell(*where, 0.0, 0.0, 0, "identity")
        entry = self.entries.get(key)
        if entry is None:
            return TableCell(*where, None, None, 0, "missing")
        level = self.anchor_us
        return TableCell(
            *where,
            entry.latency_units * level,
            None if entry.sigma_units is None else entry.sigma_units * level,
            entry.num_samples,
            entry.status,
        )
