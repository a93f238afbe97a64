"""The caps of a search, from its tables and the limits of its options.

Shape letters: L layers, K candidates.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from search_server.nas.budget.caps import Cap, amount, latency_cap, macs_cap, params_cap, weighted_cap
from search_server.nas.budget.knapsack import most_probable_within
from search_server.nas.budget.latency_model import LatencyModel, LatencySource
from search_server.search_options import SearchOptions
from shared.search_space import SearchSpace


@dataclass(frozen=True, slots=True)
class DeviceTable:
    """The latency table of one of several devices, and the latency to hold there.

    Raises:
        ValueError: the target or the weight is not above 0.
    """

    name: str
    table: LatencySource
    target_ms: float | None
    """None: the loss alone decides."""
    weight: float = 1.0
    """Of ``combine="weighted"``."""

    def __post_init__(self) -> None:
        if self.target_ms is not None and not self.target_ms > 0:
            raise ValueError(f"target_ms of device {self.name} must be above 0, got {self.target_ms:g}")
        if not self.weight > 0:
            raise ValueError(f"weight of device {self.name} must be above 0, got {self.weight:g}")


Tables = LatencySource | Sequence[DeviceTable]
"""One table, whose target is that of the options; or the tables of several devices."""


def device_tables(tables: Tables, options: SearchOptions) -> tuple[DeviceTable, ...]:
    """Return the tables of a search with their targets.

    Raises:
        ValueError: there is no table, a target is missing, or the loss cannot hold what is asked.
    """
    if isinstance(tables, Sequence):
        devices = tuple(tables)
    else:
        devices = (DeviceTable("latency", tables, options.target_ms),)
    if not devices:
        raise ValueError("a search needs a latency table; profile the space on a device")
    options.require_limits([device.target_ms for device in devices])
    return devices


def budget_caps(space: SearchSpace, tables: Tables, options: SearchOptions) -> tuple[Cap, ...]:
    """Return the caps of a search that trains no supernet.

    Raises:
        ValueError: as of :func:`device_tables` and :func:`search_caps`.
    """
    devices = device_tables(tables, options)
    shape = space.num_layers, len(space.candidates)
    return search_caps(space, devices, [LatencyModel(each.table, *shape) for each in devices], options)


def search_caps(
    space: SearchSpace,
    devices: Sequence[DeviceTable],
    latencies: Sequence[LatencyModel],
    options: SearchOptions,
) -> tuple[Cap, ...]:
    """Return the caps of loss ``budget``; none for the losses that hold nothing.

    Raises:
        ValueError: no network keeps a limit, or none keeps all of them; the message gives the ranges.
    """
    lacks_cells = any(latency.is_missing_LK.any() for latency in latencies)
    if lacks_cells and (options.loss != "budget" or options.combine == "weighted"):
        raise ValueError(
            "a table lacks cells; only loss 'budget' with combine 'worst' keeps networks away from them"
        )
    if options.loss != "budget":
        return ()
    caps = [
        latency_cap(device.name, latency, 1000 * (device.target_ms or 0.0))
        for device, latency in zip(devices, latencies, strict=True)
    ]
    if options.combine == "weighted":
        caps = [weighted_cap(caps, [device.weight for device in devices])]
    caps += count_caps(space, options)
    for cap in caps:
        cap.require_reachable()
    if not are_kept(caps):
        limits = "; ".join(
            f"{cap.name}: {amount(cap.limit, cap.unit)}, of {amount(cap.least, cap.unit)} to "
            f"{amount(cap.most, cap.unit)}"
            for cap in caps
        )
        raise ValueError(f"no network keeps all limits at once ({limits}); raise one of them")
    return tuple(caps)


def count_caps(space: SearchSpace, options: SearchOptions) -> list[Cap]:
    """Return the caps on multiply-accumulates and parameters that options name."""
    caps = []
    if options.max_macs is not None:
        caps.append(macs_cap(space, options.max_macs))
    if options.max_params is not None:
        caps.append(params_cap(space, options.max_params))
    return caps


def are_kept(caps: Sequence[Cap]) -> bool:
    """Return whether some network keeps all limits at once, by looking for one."""
    return most_probable_within(np.zeros(caps[0].cost_LK.shape), caps) is not None
