"""Shards: the parts of a step of a search that may be computed side by side, by one process or by several.

A shard has images of its own and paths of its own, drawn by a generator that depends on seed, step and
shard alone. A step follows the mean over its shards. So a search is what its number of shards makes it:
which process computes which shard changes nothing but the order in which some numbers are added. In the
training of a network a process has one shard, its part of each batch.

Source: Li et al., "PyTorch Distributed" (arXiv 2006.15704), for gradients that are averaged as they come.

Shape letters: S shards of a step, O shards of this process, F figures of a shard.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, distributed


@dataclass(frozen=True, slots=True)
class Shards:
    """The shards of a step, and those of them that this process computes."""

    number: int = 1
    """Of a step, over all processes."""
    rank: int = 0
    """Of this process among all."""
    world_size: int = 1
    """How many processes there are; torch's default process group joins them if they are several."""

    def __post_init__(self) -> None:
        if self.number < self.world_size:
            raise ValueError(
                f"a search with steps of {self.number} shards occupies at most {self.number} processes, "
                f"got {self.world_size}"
            )

    @property
    def own(self) -> range:
        """The shards of this process."""
        return range(self.rank, self.number, self.world_size)

    def generator(self, seed: int, step: int, shard: int) -> torch.Generator:
        """Return the source of chance of a shard in a step; no two have the same."""
        return torch.Generator().manual_seed(
            (seed * 1_000_003 + step) * self.number + shard  # one number for each step and shard
        )

    def gather(self, figures_OF: Tensor) -> Tensor:
        """Return the figures of all shards ``(S, F)``, the same on every process, from its own ones."""
        if self.world_size == 1:
            return figures_OF
        most = -(-self.number // self.world_size)
        padded_OF = figures_OF.new_zeros(most, figures_OF.shape[1])
        padded_OF[: len(figures_OF)] = figures_OF
        ranks = [torch.empty_like(padded_OF) for _ in range(self.world_size)]
        distributed.all_gather(ranks, padded_OF)
        return torch.stack(
            [ranks[shard % self.world_size][shard // self.world_size] for shard in range(self.number)]
        )


ONE_SHARD = Shards()
