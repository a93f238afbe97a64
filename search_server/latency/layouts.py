"""Changes of memory layout: what neighbours cost each other, which no sum of entries can tell.

Runtimes compute convolutions on channels in blocks of 4, 8 or 16 (NEON, AVX2, AVX-512). A grouped
convolution whose groups do not fill whole blocks needs plain channels, and copies before and behind it. A
residual block adds its input: behind plain channels it goes on with plain ones and copies for itself, until
a block that changes the shape ends it. So a grouped block costs the blocks behind it, most where it stands
alone and first: a twentieth of the latency of a small network.

A prediction counts the changes of its network. A search needs a sum over layers: there each candidate
answers for the changes that it makes in the mean, in its layer and behind it.

Source: ``onnxruntime/core/optimizer/nchwc_transformer.cc`` says when a convolution is blocked; Hoeffding,
"A Class of Statistics with Asymptotically Normal Distribution" (1948), section 5, which sum over several
choices is nearest to a function of all of them.

Shape letters: L layers, K candidates, S states (blocked, plain).
"""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from shared.macro_architecture import SearchSpace
from shared.operators import Conv2d
from shared.workload import Segment, Workload

CHANNEL_BLOCKS = (8, 16)
"""Sizes that are tried, of AVX2 and AVX-512; what a device measures tells which of them it has. NEON's
blocks of 4 are left out: groups of every space by name fill them, and what fills no 4 fills no 8 either."""

_BLOCKED, _PLAIN = _STATES = 0, 1

Array = NDArray[np.float64]


class LayoutChanges:
    """Counts changes of layout in the networks of a space, for one size of channel blocks."""

    def __init__(self, space: SearchSpace, channel_block: int) -> None:
        """Find what is usual in the space.

        Args:
            space: what networks are made of, all candidates of a layer alike.
            channel_block: so many channels lie side by side.
        """
        self._channel_block = channel_block
        layers = [[each.segment for each in row] for row in space.candidate_segments()]
        before_S, reached_LS = self._moves(space.stem())[_BLOCKED], []
        for candidates in layers:
            reached_LS.append(before_S)
            before_S = np.mean([before_S @ self._moves(segment) for segment in candidates], axis=0)
        behind_S = self._changes(space.head(), np.zeros(2))
        self.usual_LK: Array = np.zeros((len(layers), len(space.candidates)))
        """Changes that a candidate makes in the mean, beyond those of any in its place."""
        for row_K, candidates, before_S in reversed(
            list(zip(self.usual_LK, layers, reached_LS, strict=True))
        ):
            ahead_KS = np.array([self._changes(segment, behind_S) for segment in candidates])
            behind_S = ahead_KS.mean(0)
            row_K[:] = (ahead_KS - behind_S) @ before_S
        self._mean = float(self._changes(space.stem(), behind_S)[_BLOCKED])

    def surplus(self, workload: Workload) -> float:
        """Return how many changes a network of the space makes beyond the mean over all of its networks."""
        state, count = _BLOCKED, 0
        for segment in workload.segments:
            changes, state = self._turn(segment, state)
            count += changes
        return count - self._mean

    def _moves(self, segment: Segment) -> Array:
        """Return from which state to which it leads, ``(S, S)`` of 0 and 1."""
        moves_SS = np.zeros((2, 2))
        for state in _STATES:
            moves_SS[state, self._turn(segment, state)[1]] = 1.0
        return moves_SS

    def _changes(self, segment: Segment, behind_S: Array) -> Array:
        """Return the changes in a segment and behind it, by the state before it."""
        turns = [self._turn(segment, state) for state in _STATES]
        return np.array([changes + behind_S[state] for changes, state in turns])

    def _turn(self, segment: Segment, state: int) -> tuple[int, int]:
        """Return the changes that a segment makes in a state, and the state behind it."""
        if not segment.operators:
            return 0, state
        if self._needs_plain(segment):
            return int(state == _BLOCKED), _PLAIN
        if state == _BLOCKED:
            return 0, _BLOCKED
        return (2, _PLAIN) if segment.residual else (1, _BLOCKED)

    def _needs_plain(self, segment: Segment) -> bool:
        """Return whether groups of its pointwise convolutions do not fill whole blocks of channels."""
        return any(
            channels // operator.groups % self._channel_block
            for operator in segment.operators
            if isinstance(operator, Conv2d) and 1 < operator.groups < operator.in_channels
            for channels in (operator.in_channels, operator.out_channels)
        )


@lru_cache(maxsize=64)
def layout_changes(space: SearchSpace, channel_block: int) -> LayoutChanges:
    """Return the counter of a space for blocks of so many channels; each is made once."""
    return LayoutChanges(space, channel_block)
