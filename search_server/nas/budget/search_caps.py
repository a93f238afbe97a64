"""The caps of a search, from its tables and the limits of its configuration.

Shape letters: L layers, K candidates.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from search_server.nas.budget.caps import Cap, amount, latency_cap, macs_cap, params_cap, weighted_cap
from search_server.nas.budget.cautious_table import cautious_table
from search_server.nas.budget.knapsack import most_probable_within
from search_server.nas.budget.latency_loss import LatencyModel, LatencySource
from search_server.nas.config import SearchConfig
from shared.search_space import SearchSpace

Tables = LatencySource | Sequence[LatencySource] | Mapping[str, LatencySource]
"""One table; several; or several by the name of their device."""


def latency_models(space: SearchSpace, tables: Tables, config: SearchConfig) -> dict[str, LatencyModel]:
    """Return the latencies that a search uses, by name, the first one first.

    Raises:
        ValueError: a table does not fit the space, knows no errors where ``latency_sigmas`` asks for
            them, or there are not as many tables as targets.
    """
    named = _named(tables)
    num_targets = len(config.targets_us) or 1
    if len(named) != num_targets:
        raise ValueError(
            f"{len(named)} latency tables ({', '.join(named)}) need as many targets, got {num_targets}: "
            "give target_us=(first, second, ...) in microseconds"
        )
    return {
        name: LatencyModel(
            cautious_table(table, config.latency_sigmas), space.num_layers, len(space.candidates)
        )
        for name, table in named.items()
    }


def search_caps(
    space: SearchSpace, latencies: Mapping[str, LatencyModel], config: SearchConfig
) -> tuple[Cap, ...]:
    """Return the caps of loss ``budget``; none for the losses that hold nothing.

    Raises:
        ValueError: no network keeps a limit, or none keeps all of them; the message gives the ranges.
    """
    if config.loss != "budget":
        return ()
    pairs = zip(latencies.items(), config.targets_us, strict=True)
    caps = [latency_cap(name, latency, target_us) for (name, latency), target_us in pairs]
    if config.combine == "weighted":
        caps = [weighted_cap(caps, config.table_weights or (1.0,) * len(caps))]
    if config.max_macs is not None:
        caps.append(macs_cap(space, config.max_macs))
    if config.max_params is not None:
        caps.append(params_cap(space, config.max_params))
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


def are_kept(caps: Sequence[Cap]) -> bool:
    """Return whether some network keeps all limits at once, by looking for one."""
    return most_probable_within(np.zeros(caps[0].cost_LK.shape), caps) is not None


def _named(tables: Tables) -> Mapping[str, LatencySource]:
    if isinstance(tables, Mapping):
        return tables
    if isinstance(tables, Sequence):
        return {f"table {index}": table for index, table in enumerate(tables, 1)}
    return {"latency": tables}
