"""What holds for the whole run of the tests."""

import atexit
import os
import sys


@atexit.register
def silence_farewells() -> None:
    """Let pytest's closing line be the last: LiteRT's library speaks on stderr as the process ends."""
    if "ai_edge_litert" in sys.modules:
        sys.stderr.flush()
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
