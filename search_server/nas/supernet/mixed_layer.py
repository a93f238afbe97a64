"""One searchable layer: K candidate blocks behind one forward pass.

A layer that keeps its shape is ``y = x + sum_k m_k f_k(x)`` for any mixture ``m`` that sums to 1, since
there every block is residual and the skip is the identity (``f = 0``). Soft, one-path and two-path
execution differ only in the candidates that they name; see ``paths.py``. A factor on a batch norm's output
is a factor on its scale and shift, so weighing candidates costs no pass over their outputs.

Source: FBNet (arXiv 1812.03443), equation 5.

Shape letters: N batch, C channels, H height, W width, K candidates.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from functools import partial
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.checkpoint import checkpoint

from shared.modules import SegmentModule, initialise, scale_residual
from shared.workload import Segment


class MixedLayer(nn.Module, ABC):
    """Chooses or mixes the candidates of one layer."""

    def __init__(self, segments: Sequence[Segment]) -> None:
        super().__init__()
        self.keeps_shape = any(not segment.operators for segment in segments)
        """The layer's input is part of its output."""
        self.keeps_shape |= any(segment.residual for segment in segments)
        for segment in segments:
            if self.keeps_shape and segment.operators and not segment.residual:
                raise ValueError(
                    f"candidates of {segment.name!r} must all be residual or identity, or none of them"
                )
        self.own_candidate: int | None = None
        """The one whose weights no other candidate trains, where all others share theirs."""
        self.recomputes_branches = False
        """Activation checkpointing: a branch is computed again in the backward pass."""

    def together(self, candidates: Sequence[int]) -> list[tuple[int, ...]]:
        """Return which of the named candidates are computed together: here each is computed alone."""
        return [(candidate,) for candidate in candidates]

    @abstractmethod
    def branch(
        self, x_NCHW: Tensor, together: tuple[int, ...], factors: Sequence[Tensor | None]
    ) -> Tensor | None:
        """Return the sum of some candidates' outputs without their residual, or None for the identity.

        Args:
            x_NCHW: the layer's input.
            together: their indices, as :meth:`together` gives them.
            factors: of each one's output, scalars; None: 1.
        """

    @abstractmethod
    def candidate_state(self, candidate: int) -> dict[str, Tensor]:
        """Return copies of a candidate's weights, named ``<operator index>.<what>`` as in its segment."""

    def forward(self, x_NCHW: Tensor, candidates: Sequence[int], weights_K: Tensor | None = None) -> Tensor:
        """Return the weighted sum of the named candidates.

        Args:
            x_NCHW: the layer's input.
            candidates: indices of those that run.
            weights_K: one factor for each of the K candidates; those of the named ones sum to 1.
                None: a single candidate runs with factor 1.
        """
        y_NCHW = x_NCHW if self.keeps_shape else None
        for together in self.together(candidates):
            factors = [None if weights_K is None else weights_K[candidate] for candidate in together]
            branch_NCHW = self._run_branch(x_NCHW, together, factors)
            if branch_NCHW is not None:
                y_NCHW = branch_NCHW if y_NCHW is None else y_NCHW + branch_NCHW
        assert y_NCHW is not None, "at least one candidate runs"
        return y_NCHW

    def _run_branch(
        self, x_NCHW: Tensor, together: tuple[int, ...], factors: Sequence[Tensor | None]
    ) -> Tensor | None:
        if self.recomputes_branches and torch.is_grad_enabled():
            run = partial(checkpoint, self.branch, use_reentrant=False)
            return cast(Tensor | None, run(x_NCHW, together, factors))
        return self.branch(x_NCHW, together, factors)


class SeparateLayer(MixedLayer):
    """Each candidate has weights of its own, as in the paper."""

    def __init__(self, segments: Sequence[Segment], generator: torch.Generator) -> None:
        super().__init__(segments)
        self.blocks = nn.ModuleList(
            SegmentModule(Segment(segment.name, segment.operators)) for segment in segments
        )
        self._is_identity = [not segment.operators for segment in segments]
        initialise(self, generator)
        if self.keeps_shape:
            for block in self.blocks:
                if len(cast(SegmentModule, block)):
                    scale_residual(cast(SegmentModule, block)[-1])

    def branch(
        self, x_NCHW: Tensor, together: tuple[int, ...], factors: Sequence[Tensor | None]
    ) -> Tensor | None:
        (candidate,), (factor,) = together, factors
        if self._is_identity[candidate]:
            return None
        block = self.blocks[candidate]
        assert isinstance(block, SegmentModule)
        *first, last = block
        for module in first:
            x_NCHW = module(x_NCHW)
        if isinstance(last, nn.BatchNorm2d):
            return scaled_norm(x_NCHW, last, factor)
        y_NCHW: Tensor = last(x_NCHW)
        return y_NCHW if factor is None else y_NCHW * factor

    def candidate_state(self, candidate: int) -> dict[str, Tensor]:
        return {name: value.detach().clone() for name, value in self.blocks[candidate].state_dict().items()}


def first_norm(x_NCHW: Tensor, norm: nn.BatchNorm2d) -> Tensor:
    """Return ``norm(x)`` by its first channels, as many as ``x`` has."""
    channels = x_NCHW.shape[1]
    if channels == norm.num_features:
        y_NCHW: Tensor = norm(x_NCHW)
        return y_NCHW
    assert norm.running_mean is not None
    assert norm.running_var is not None
    return F.batch_norm(
        x_NCHW,
        norm.running_mean[:channels],  # a view: training goes on in place
        norm.running_var[:channels],
        norm.weight[:channels],
        norm.bias[:channels],
        norm.training,
        norm.momentum or 0.0,
        norm.eps,
    )


def scaled_norm(x_NCHW: Tensor, norm: nn.BatchNorm2d, factor: Tensor | None) -> Tensor:
    """Return ``factor * norm(x)``, where None is 1."""
    if factor is None:
        y_NCHW: Tensor = norm(x_NCHW)
        return y_NCHW
    return F.batch_norm(
        x_NCHW,
        norm.running_mean,
        norm.running_var,
        norm.weight * factor,
        norm.bias * factor,
        norm.training,
        norm.momentum or 0.0,
        norm.eps,
    )
