"""A layer with one super-kernel: every candidate computes with slices of the same convolutions.

Expansion 1 is the first channels of expansion 3, and that of expansion 6. A separable block is expansion 1
without the first convolution. A 3x3 kernel is the centre of the 5x5. Blocks of the universal inverted
bottleneck leave out one depthwise convolution or both. The two parts of a squeeze-and-excite are sliced
like the rest. A grouped block takes the block-diagonal parts of the 1x1 weights, and its shuffle carries
each hidden channel's depthwise weights along. So every step trains every candidate: a single path a step
learns enough at small budgets. Batch norms see ``kernel_slice.py``.

Candidates that differ in their choice of channels alone, ``k3_c1``, ``k3_c2`` and so on, are the widest of
them with its last inner channels masked. Where several of them run, all but the last convolution is
computed once, for the widest. The last convolution is taken piece by piece: up to the channels of the
narrowest, what the next one has beyond these, and so on, so that all of them cost one block.

The skip of a layer that changes its shape is a 1x1 convolution. Its weight is a product of three matrices,
the super-kernel at the kernel's centre without nonlinearities, plus a difference of its own. The other
candidates end without a ReLU, so that of the skip begins nearly open: both signs of a feature pass.

Source of weight entanglement: Guo et al., "Single Path One-Shot" (arXiv 1904.00420) and Chen et al.,
"AutoFormer" (arXiv 2107.00651), section 3.2; of channels that are masked: Wan et al., "FBNetV2" (arXiv
2004.05565). There all choices share their last batch norm too; here each has its own, as it will have as a
network, and a mixture is exactly that of the narrow blocks.

Shape letters: N batch, C channels, H height, W width; M hidden channels, I input, O output.
"""

from collections.abc import Sequence
from functools import cache
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from search_server.nas.supernet.kernel_slice import (
    KernelSlice,
    block_diagonal,
    centre,
    kernel_slice,
    norm_places,
)
from search_server.nas.supernet.mixed_layer import MixedLayer, first_norm, scaled_norm
from shared.modules import (
    SegmentModule,
    SqueezeExciteModule,
    init_conv_weight,
    initialise,
    operator_module,
    scale_residual,
    squeeze_excite,
)
from shared.operators import BatchNorm2d, Conv2d, Operator, SqueezeExcite
from shared.workload import Segment

SKIP_SHIFT = 2.0
"""Shift of the skip's batch norm before training, in standard deviations of what its ReLU then takes."""


class EntangledLayer(MixedLayer):
    """Candidates as slices of one expand, one depthwise and one project convolution, and the like."""

    def __init__(
        self,
        segments: Sequence[Segment],
        generator: torch.Generator,
        kinds: Sequence[str | None] | None = None,
    ) -> None:
        """Make weights and batch norms.

        Args:
            segments: the candidates.
            generator: of the weights.
            kinds: candidates of one kind differ in their choice of channels alone; None: of no such kind.
        """
        super().__init__(segments)
        self._operators = [segment.operators for segment in segments]
        kinds = kinds or [None] * len(segments)
        self._families = [kind or candidate for candidate, kind in enumerate(kinds)]
        self.slices: list[KernelSlice | None] = [kernel_slice(segment) for segment in segments]
        slices = [part for part in self.slices if part is not None]
        self.has_super_kernel = bool(slices)
        if slices:
            self._make_super_kernel(slices, generator)
        others = [k for k, part in enumerate(self.slices) if part is None and segments[k].operators]
        if len(others) > 1:
            raise ValueError(f"layer {segments[0].name!r} has two candidates that are no slices")
        self.skip = SegmentModule(segments[others[0]]) if others else None
        """That of a layer that changes its shape."""
        if self.skip is not None:
            initialise(self.skip, generator)
            if slices:
                _begin_as_part(self.skip)
                self.own_candidate = others[0]
        norm_channels, self._norm_places = norm_places(self.slices, self._families)
        self.norms = nn.ModuleList(nn.BatchNorm2d(channels) for channels in norm_channels)
        if self.keeps_shape:
            for candidate, part in enumerate(self.slices):
                if part is not None:
                    scale_residual(self._candidate_norms(candidate)[-1])

    def _make_super_kernel(self, slices: Sequence[KernelSlice], generator: torch.Generator) -> None:
        """Make weights as large as the largest slices, and the channel order of each grouped one."""
        hidden = max(part.hidden for part in slices)
        kernel_size = max(1, *(part.kernel_size for part in slices))
        self.expand_MI11 = nn.Parameter(torch.empty(hidden, slices[0].in_channels, 1, 1))
        """Not used by separable blocks."""
        self.depthwise_M1HW = nn.Parameter(torch.empty(hidden, 1, kernel_size, kernel_size))
        self.project_OM11 = nn.Parameter(torch.empty(slices[0].out_channels, hidden, 1, 1))
        init_conv_weight(self.expand_MI11, 1, generator)
        init_conv_weight(self.depthwise_M1HW, hidden, generator)
        init_conv_weight(self.project_OM11, 1, generator)
        first_size = max(part.first_kernel_size for part in slices)
        if first_size:
            self.first_I1HW = nn.Parameter(torch.empty(slices[0].in_channels, 1, first_size, first_size))
            init_conv_weight(self.first_I1HW, slices[0].in_channels, generator)
        squeezes = [part.squeeze for part in slices if part.squeeze is not None]
        if squeezes:
            self.squeeze = SqueezeExciteModule(
                max(each.channels for each in squeezes), max(each.squeezed for each in squeezes)
            )
            initialise(self.squeeze, generator)
        for candidate, part in enumerate(self.slices):
            if part is not None and part.groups > 1:
                self.register_buffer(f"hidden_order_{candidate}", part.hidden_order(), persistent=False)

    def together(self, candidates: Sequence[int]) -> list[tuple[int, ...]]:
        """Return the named candidates, those of one kind together, the narrowest first."""
        families: dict[int | str, list[tuple[int, int]]] = {}
        for candidate in candidates:
            part = self.slices[candidate]
            place = part.hidden if part else 0, candidate
            families.setdefault(self._families[candidate], []).append(place)
        return [tuple(candidate for _, candidate in sorted(family)) for family in families.values()]

    def branch(
        self, x_NCHW: Tensor, together: tuple[int, ...], factors: Sequence[Tensor | None]
    ) -> Tensor | None:
        widest = self.slices[together[-1]]
        if widest is None:
            return self._skip_branch(x_NCHW, together[0], factors[0])
        inside_NMHW = self._inside(x_NCHW, together[-1], widest)
        sum_NCHW: Tensor | None = None
        map_NCHW: Tensor | None = None
        done = 0
        for candidate, factor in zip(together, factors, strict=True):
            part = self.slices[candidate]
            assert part is not None, "candidates of one kind are slices"
            project = self._project_weight(candidate, part)
            # A full slice is left out: its gradient would be copied.
            own_NMHW = inside_NMHW if part is widest else inside_NMHW[:, : part.hidden]
            if part.squeeze is not None:  # its gates look at all channels of the block
                own_NMHW = squeeze_excite(own_NMHW, self._squeeze_weights(candidate, part))
            if part.squeeze is not None or map_NCHW is None:
                map_NCHW = F.conv2d(own_NMHW, project, groups=part.groups)
            else:
                map_NCHW = map_NCHW + F.conv2d(own_NMHW[:, done:], project[:, done:])
            done = part.hidden
            own_NCHW = scaled_norm(map_NCHW, self._candidate_norms(candidate)[-1], factor)
            sum_NCHW = own_NCHW if sum_NCHW is None else sum_NCHW + own_NCHW
        return sum_NCHW

    def _inside(self, x_NCHW: Tensor, candidate: int, part: KernelSlice) -> Tensor:
        """Return what goes into a block's last convolution, or its squeeze-and-excite."""
        weights = iter(self._inner_weights(candidate, part))
        norms = iter(self._candidate_norms(candidate))
        *operators, conv, norm = self._operators[candidate]
        assert (type(conv), type(norm)) == (Conv2d, BatchNorm2d), f"a block ends in {conv}, {norm}"
        for operator in operators:
            match operator:
                case Conv2d(stride=stride, groups=groups, kernel_size=size):
                    x_NCHW = F.conv2d(x_NCHW, next(weights), None, stride, size // 2, groups=groups)
                case BatchNorm2d():
                    x_NCHW = first_norm(x_NCHW, next(norms))
                case SqueezeExcite():
                    pass
                case _:
                    x_NCHW = _function(operator)(x_NCHW)
        return x_NCHW

    def _skip_branch(self, x_NCHW: Tensor, candidate: int, factor: Tensor | None) -> Tensor | None:
        if self.skip is None or not self._operators[candidate]:
            return None
        conv, norm, activation = self.skip
        assert isinstance(conv, nn.Conv2d)
        x_NCHW = F.conv2d(x_NCHW, self._skip_weight(conv), stride=conv.stride)
        y_NCHW: Tensor = activation(norm(x_NCHW))
        return y_NCHW if factor is None else y_NCHW * factor

    def candidate_state(self, candidate: int) -> dict[str, Tensor]:
        part = self.slices[candidate]
        if part is None:
            if self.skip is None or not self._operators[candidate]:
                return {}
            weight = self._skip_weight(cast(nn.Conv2d, self.skip[0]))
            state = {**self.skip.state_dict(), "0.weight": weight}
            return {name: value.detach().clone() for name, value in state.items()}
        weights = iter((*self._inner_weights(candidate, part), self._project_weight(candidate, part)))
        norms = iter(self._candidate_norms(candidate))
        state = {}
        for index, operator in enumerate(self._operators[candidate]):
            if isinstance(operator, Conv2d):
                state[f"{index}.weight"] = next(weights).detach().clone()
            elif isinstance(operator, BatchNorm2d):
                for name, value in next(norms).state_dict().items():
                    own = value[: operator.channels] if value.ndim else value
                    state[f"{index}.{name}"] = own.detach().clone()
            elif isinstance(operator, SqueezeExcite):
                for name, value in self._squeeze_weights(candidate, part).items():
                    state[f"{index}.{name}"] = value.detach().clone()
        return state

    def _candidate_norms(self, candidate: int) -> list[nn.BatchNorm2d]:
        return [cast(nn.BatchNorm2d, self.norms[place]) for place in self._norm_places[candidate]]

    def _skip_weight(self, conv: nn.Conv2d) -> Tensor:
        """Return the weight ``(O, I, 1, 1)`` of the skip's convolution."""
        if not self.has_super_kernel:
            return conv.weight
        centre = self.depthwise_M1HW.shape[-1] // 2
        centre_M = self.depthwise_M1HW[:, 0, centre, centre]
        linear_OI = (self.project_OM11[:, :, 0, 0] * centre_M) @ self.expand_MI11[:, :, 0, 0]
        return conv.weight + linear_OI[:, :, None, None]

    def _inner_weights(self, candidate: int, part: KernelSlice) -> tuple[Tensor, ...]:
        """Return the weights of a slice's convolutions but the last, in order."""
        expand = self.expand_MI11[: part.hidden]
        depthwise = centre(self.depthwise_M1HW[: part.hidden], part.kernel_size)
        if part.groups > 1:
            expand = block_diagonal(expand, part.groups)
            depthwise = depthwise.index_select(0, self.get_buffer(f"hidden_order_{candidate}"))
        first = (centre(self.first_I1HW, part.first_kernel_size),) if part.first_kernel_size else ()
        return (*first, *(expand,) * part.has_expand, *(depthwise,) * (part.kernel_size > 0))

    def _project_weight(self, candidate: int, part: KernelSlice) -> Tensor:
        """Return the weight of a slice's last convolution."""
        project = self.project_OM11[:, : part.hidden]
        if part.groups == 1:
            return project
        order_M = self.get_buffer(f"hidden_order_{candidate}")
        return block_diagonal(project.index_select(1, order_M), part.groups)

    def _squeeze_weights(self, candidate: int, part: KernelSlice) -> dict[str, Tensor]:
        """Return the weights of a slice's squeeze-and-excite, by their names."""
        assert part.squeeze is not None, f"candidate {candidate} has no squeeze-and-excite"
        weights: dict[str, Tensor] = dict(self.squeeze.named_parameters())
        if part.groups > 1:
            order_M = self.get_buffer(f"hidden_order_{candidate}")
            for name, dim in (("reduce.weight", 1), ("expand.weight", 0), ("expand.bias", 0)):
                weights[name] = weights[name].index_select(dim, order_M)
        channels, squeezed = part.hidden, part.squeeze.squeezed
        return {
            "reduce.weight": weights["reduce.weight"][:squeezed, :channels],
            "reduce.bias": weights["reduce.bias"][:squeezed],
            "expand.weight": weights["expand.weight"][:channels, :squeezed],
            "expand.bias": weights["expand.bias"][:channels],
        }


def _begin_as_part(skip: SegmentModule) -> None:
    """Let a skip begin as nothing but its part of the super-kernel."""
    conv, norm, _ = skip
    assert isinstance(conv, nn.Conv2d)
    assert isinstance(norm, nn.BatchNorm2d)
    nn.init.zeros_(conv.weight)
    nn.init.constant_(norm.bias, SKIP_SHIFT)


@cache
def _function(operator: Operator) -> nn.Module:
    """Return what computes an operator without weights; many layers share it."""
    return operator_module(operator)
