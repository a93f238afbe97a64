"""A table of one number of classes serves another: spaces that differ in it differ in the head only.

The head is a convolution and a linear layer; only the linear one depends on the classes. Its cost is told
by a rule, not by a measurement: a multiply-accumulate of the linear layer takes as long as ``LINEAR_COST``
of the convolution, since each reads a weight of its own. Half of what the rule adds or takes away counts as
its standard error.
"""

import math
from dataclasses import replace

from search_server.latency.table import LatencyTable, TableEntry
from shared.operators import Conv2d, Linear
from shared.search_space import SearchSpace

LINEAR_COST = 8.0
"""4 to 10 were measured: whole networks of four spaces with 3 to 1000 classes, ONNX Runtime, AVX-512."""
RULE_ERROR = 0.5
"""Of the change of the head, as one standard error."""


def is_alike_but_for_classes(one: SearchSpace, other: SearchSpace) -> bool:
    """Return whether two spaces differ at most in their number of classes."""
    return replace(one, name="", num_classes=0) == replace(other, name="", num_classes=0)


def with_classes(table: LatencyTable, space: SearchSpace) -> LatencyTable | None:
    """Return the table for a space with another number of classes; None if it has no cell of the head.

    Args:
        table: of a space that is alike but for its classes.
        space: whose networks the new table is for.
    """
    *_, head = table.search_space.segments()
    *_, new_head = space.segments()
    if head.key not in table.entries:
        return None
    entry = table.entries[head.key]
    ratio = _head_cost(space) / _head_cost(table.search_space)
    units = ratio * entry.latency_units
    change = units - entry.latency_units
    # Entries are in units of the anchor, whose own head changes too.
    anchor = 1 + change
    sigma = (
        None if entry.sigma_units is None else math.hypot(ratio * entry.sigma_units, RULE_ERROR * change)
    )
    entries = {key: other for key, other in table.entries.items() if key != head.key}
    entries[new_head.key] = TableEntry(units, sigma, entry.num_samples, entry.status)
    return replace(
        table,
        space=space.name,
        anchor_us=anchor * table.anchor_us,
        entries={key: _over(other, anchor) for key, other in entries.items()},
        neighbours=table.neighbours.scaled(1 / anchor),
    )


def head_change(table: LatencyTable, space: SearchSpace) -> str:
    """Return in words what became of the head of a table for another number of classes."""
    ratio = _head_cost(space) / _head_cost(table.search_space)
    classes = table.search_space.num_classes
    return f"the head of {classes} classes times {ratio:.3f} for {space.num_classes}, by rule"


def _over(entry: TableEntry, anchor: float) -> TableEntry:
    sigma = None if entry.sigma_units is None else entry.sigma_units / anchor
    return replace(entry, latency_units=entry.latency_units / anchor, sigma_units=sigma)


def _head_cost(space: SearchSpace) -> float:
    """Return the head's multiply-accumulates, those of the linear layer counted ``LINEAR_COST`` times."""
    *_, head = space.segments()
    shape, cost = head.input_shape, 0.0
    for operator in head.segment.operators:
        weight = {Conv2d: 1.0, Linear: LINEAR_COST}.get(type(operator), 0.0)
        cost += weight * operator.macs(shape)
        shape = operator.output_shape(shape)
    return cost
