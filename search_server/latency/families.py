"""A block costs less among its own kind: entries are corrected by networks of one candidate throughout.

In the covers each candidate stands among all the others. Among its own kind the runtime saves layout
reorders at its borders and fuses what it could not fuse, and light blocks find their data still in the
caches. No sum of entries can follow that, but networks of one kind lie at one end of it and covers at the
other: an entry between the two is wrong by little at either end. Measured: see docs/measuring.md.
"""

from collections.abc import Mapping

from shared.workload import IDENTITY_KEY, Workload

PULL = 0.75
"""How far entries go from what the covers say (0) to what the networks of one candidate say (1)."""


def family_factors(
    entries_units: Mapping[str, float],
    families: Mapping[str, Workload],
    measured_units: Mapping[str, float],
) -> dict[str, float]:
    """Return a factor for the entry of every segment that stands in a family's layers.

    Args:
        entries_units: latency by segment key, in units of the anchor.
        families: by any name, networks with one candidate in every layer: stem, layers, head.
        measured_units: the latency of each family, in the same units; a family that is missing keeps its
            entries.
    """
    factors: dict[str, float] = {}
    for name, workload in families.items():
        if name not in measured_units:
            continue
        keys = [key for key in workload.segment_keys() if key != IDENTITY_KEY]
        layer_keys = [key for key in workload.segment_keys()[1:-1] if key != IDENTITY_KEY]
        total = sum(entries_units[key] for key in keys)
        layers = sum(entries_units[key] for key in layer_keys)
        if layers > 0:
            factor = 1 + PULL * (measured_units[name] - total) / layers
            factors.update(dict.fromkeys(layer_keys, max(factor, 0.0)))
    return factors
