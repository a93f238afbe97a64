"""What a model file may hold at most, and how its operators are counted."""

from collections.abc import Mapping

from search_server.resources.models import OperatorCount

MAX_NODES = 10_000
"""As many as a result may have."""


def counted(types: Mapping[str, int]) -> tuple[OperatorCount, ...]:
    """Return how often each operator occurs, the most frequent first."""
    ordered = sorted(types.items(), key=lambda entry: (-entry[1], entry[0]))
    return tuple(OperatorCount(op_type, count) for op_type, count in ordered)
