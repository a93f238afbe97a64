"""How long to wait before asking again a server that is away or has too much to do."""

import random


class Backoff:
    """Growing, jittered pauses between attempts."""

    def __init__(self, generator: random.Random, first_s: float = 1.0, longest_s: float = 20.0) -> None:
        self._generator = generator
        self._first_s = first_s
        self._longest_s = longest_s
        self._num_failures = 0

    def reset(self) -> None:
        self._num_failures = 0

    def next_s(self, asked_s: float = 0.0) -> float:
        """Return the next pause: half to all of twice the pause before, up to the longest.

        A server that asks for a pause gets that one, and up to half as much more: those whom it asked
        at the same moment come back one by one.
        """
        if asked_s > 0:
            return asked_s * self._generator.uniform(1.0, 1.5)
        pause_s = min(self._first_s * 2.0**self._num_failures, self._longest_s)
        self._num_failures = min(self._num_failures + 1, 30)
        return pause_s * self._generator.uniform(0.5, 1.0)
