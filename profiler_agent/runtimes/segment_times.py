"""Time-stamps at the borders of segments, for runtimes without a node profile that Python can read."""

from collections import defaultdict
from collections.abc import Sequence

from shared.protocol.measurement import NodeSamples


class SegmentTimes:
    """One value per segment and profiled run; each segment counts as one node."""

    def __init__(self) -> None:
        self._wall_us: dict[str, list[float]] = defaultdict(list)

    def add_run(self, segments: Sequence[str], stamps_ns: Sequence[int]) -> None:
        """Take in one profiled run.

        Args:
            segments: names, in the order in which they ran.
            stamps_ns: the start of the first, then the end of each, nanoseconds.
        """
        for name, start_ns, end_ns in zip(segments, stamps_ns[:-1], stamps_ns[1:], strict=True):
            self._wall_us[name].append((end_ns - start_ns) / 1000)

    def nodes(self) -> tuple[NodeSamples, ...]:
        """Return the segments as nodes."""
        return tuple(
            NodeSamples(name, name, "segment", tuple(wall_us)) for name, wall_us in self._wall_us.items()
        )
