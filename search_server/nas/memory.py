"""How much memory this process has used at most."""

import resource
import sys

_BYTES_PER_UNIT = 1 if sys.platform == "darwin" else 1024
"""``ru_maxrss`` counts bytes on macOS and kibibytes elsewhere."""


def peak_memory_bytes() -> int:
    """Return the largest resident set of this process since it began."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * _BYTES_PER_UNIT
