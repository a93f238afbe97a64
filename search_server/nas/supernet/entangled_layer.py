"""A layer with one super-kernel: every candidate computes with slices of the same convolutions.

Expansion 1 is the first channels of expansion 3, and that of expansion 6. A separable block is expansion 1
without the first convolution. A 3x3 kernel is the centre of the 5x5. Blocks of the universal inverted
bottleneck leave out one depthwise convolution or both. The two parts of a squeeze-and-excite are sliced
like the rest. A grouped block takes the block-diagonal parts of the 1x1 weights, and its shuffle carries
each hidden channel's depthwise weights along. So every step trains every candidate: a single path a step
learns enough at small budgets. Each candidate has batch norms of its own, since their statistics differ.

The skip of a layer that changes its shape is a 1x1 convolution. Its weight is a product of three matrices,
the super-kernel at the kernel's centre without nonlinearities, plus a difference of its own. The other
candidates end without a ReLU, so that of the skip begins nearly open: both signs of a feature pass.

Source of weight entanglement: Guo et al., "Single Path One-Shot" (arXiv 1904.00420) and Chen et al.,
"AutoFormer" (arXiv 2107.00651), section 3.2.

Shape letters: N batch, C channels, H height, W width; M hidden channels, I input, O output.
"""

from collections.abc import Sequence
from functools import cache
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from search_server.nas.supernet.mixed_layer import MixedLayer, scaled_norm
from shared.modules import (
    SegmentModule,
    SqueezeExciteModule,
    init_conv_weight,
    initialise,
    operator_module,
    scale_residual,
    squeeze_excite,
)
from shared.operators import BatchNorm2d, ChannelShuffle, Conv2d, Operator, SqueezeExcite
from shared.workload import Segment

SKIP_SHIFT = 2.0
"""Shift of the skip's batch norm before training, in standard deviations of what its ReLU then takes."""


class EntangledLayer(MixedLayer):
    """Candidates as slices of one expand, one depthwise and one project convolution, and the like."""

    def __init__(self, segments: Sequence[Segment], generator: torch.Generator) -> None:
        super().__init__(segments)
        self._operators = [segment.operators for segment in segments]
        self.slices: list[KernelSlice | None] = [_kernel_slice(segment) for segment in segments]
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
        self.norms = nn.ModuleList(
            nn.BatchNorm2d(channels) for part in slices for channels in part.norm_channels
        )
        """One for each convolution of each candidate that is a slice, in order."""
        if self.keeps_shape:
            for candidate, part in enumerate(self.slices):
                if part is not None:
                    scale_residual(self._candidate_norms(candidate)[-1])

    def _make_super_kernel(self, slices: "Sequence[KernelSlice]", generator: torch.Generator) -> None:
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

    def branch(self, x_NCHW: Tensor, candidate: int, factor: Tensor | None) -> Tensor | None:
        part = self.slices[candidate]
        if part is None:
            if self.skip is None or not self._operators[candidate]:
                return None
            conv, norm, activation = self.skip
            assert isinstance(conv, nn.Conv2d)
            x_NCHW = F.conv2d(x_NCHW, self._skip_weight(conv), stride=conv.stride)
            y_NCHW: Tensor = activation(norm(x_NCHW))
            return y_NCHW if factor is None else y_NCHW * factor
        *operators, last = self._operators[candidate]
        weights = iter(self._weights(candidate, part))
        *norms, last_norm = self._candidate_norms(candidate)
        next_norm = iter(norms)
        for operator in operators:
            match operator:
                case Conv2d(stride=stride, groups=groups, kernel_size=size):
                    x_NCHW = F.conv2d(x_NCHW, next(weights), None, stride, size // 2, groups=groups)
                case BatchNorm2d():
                    x_NCHW = next(next_norm)(x_NCHW)
                case SqueezeExcite():
                    x_NCHW = squeeze_excite(x_NCHW, self._squeeze_weights(candidate, part))
                case _:
                    x_NCHW = _function(operator)(x_NCHW)
        assert isinstance(last, BatchNorm2d), f"a block ends in a batch norm, not {last}"
        return scaled_norm(x_NCHW, last_norm, factor)

    def candidate_state(self, candidate: int) -> dict[str, Tensor]:
        part = self.slices[candidate]
        if part is None:
            if self.skip is None or not self._operators[candidate]:
                return {}
            weight = self._skip_weight(cast(nn.Conv2d, self.skip[0]))
            state = {**self.skip.state_dict(), "0.weight": weight}
            return {name: value.detach().clone() for name, value in state.items()}
        weights = iter(self._weights(candidate, part))
        norms = iter(self._candidate_norms(candidate))
        state = {}
        for index, operator in enumerate(self._operators[candidate]):
            if isinstance(operator, Conv2d):
                state[f"{index}.weight"] = next(weights).detach().clone()
            elif isinstance(operator, BatchNorm2d):
                for name, value in next(norms).state_dict().items():
                    state[f"{index}.{name}"] = value.detach().clone()
            elif isinstance(operator, SqueezeExcite):
                for name, value in self._squeeze_weights(candidate, part).items():
                    state[f"{index}.{name}"] = value.detach().clone()
        return state

    def _candidate_norms(self, candidate: int) -> list[nn.BatchNorm2d]:
        first, last = (
            sum(len(part.norm_channels) for part in self.slices[:end] if part is not None)
            for end in (candidate, candidate + 1)
        )
        return [cast(nn.BatchNorm2d, self.norms[index]) for index in range(first, last)]

    def _skip_weight(self, conv: nn.Conv2d) -> Tensor:
        """Return the weight ``(O, I, 1, 1)`` of the skip's convolution."""
        if not self.has_super_kernel:
            return conv.weight
        centre = self.depthwise_M1HW.shape[-1] // 2
        centre_M = self.depthwise_M1HW[:, 0, centre, centre]
        linear_OI = (self.project_OM11[:, :, 0, 0] * centre_M) @ self.expand_MI11[:, :, 0, 0]
        return conv.weight + linear_OI[:, :, None, None]

    def _weights(self, candidate: int, part: "KernelSlice") -> tuple[Tensor, ...]:
        """Return the weights of a slice's convolutions, in order."""
        expand = self.expand_MI11[: part.hidden]
        depthwise = _centre(self.depthwise_M1HW[: part.hidden], part.kernel_size)
        project = self.project_OM11[:, : part.hidden]
        if part.groups > 1:
            order_M = self.get_buffer(f"hidden_order_{candidate}")
            expand = _block_diagonal(expand, part.groups)
            depthwise = depthwise.index_select(0, order_M)
            project = _block_diagonal(project.index_select(1, order_M), part.groups)
        first = (_centre(self.first_I1HW, part.first_kernel_size),) if part.first_kernel_size else ()
        middle = (expand,) * part.has_expand + (depthwise,) * (part.kernel_size > 0)
        return (*first, *middle, project)

    def _squeeze_weights(self, candidate: int, part: "KernelSlice") -> dict[str, Tensor]:
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


class KernelSlice:
    """Which part of a super-kernel an inverted residual or a separable block takes."""

    def __init__(self, segment: Segment) -> None:
        """Find it.

        Raises:
            ValueError: the segment is no such block.
        """
        convs = [operator for operator in segment.operators if isinstance(operator, Conv2d)]
        pointwise = [conv for conv in convs if not _is_depthwise(conv)]
        if not convs or convs[-1] not in pointwise or not 1 <= len(pointwise) <= 2 or len(convs) < 2:
            raise ValueError(f"segment {segment.name!r} is no inverted residual")
        project = convs[-1]
        self.has_expand = len(pointwise) == 2
        at = convs.index(pointwise[0]) if self.has_expand else 0
        before, middle = (convs[:at], convs[at + 1 : -1]) if self.has_expand else ([], convs[:-1])
        if max(len(before), len(middle)) > 1 or project.kernel_size * project.stride > 1:
            raise ValueError(f"segment {segment.name!r} has more convolutions than an inverted residual")
        self.first_kernel_size = before[0].kernel_size if before else 0
        self.kernel_size = middle[0].kernel_size if middle else 0
        """0: no depthwise convolution in the middle."""
        self.in_channels, self.out_channels = convs[0].in_channels, project.out_channels
        self.hidden, self.groups = project.in_channels, project.groups
        self.norm_channels = tuple(conv.out_channels for conv in convs)
        self.squeeze = next((o for o in segment.operators if isinstance(o, SqueezeExcite)), None)
        is_shuffled = any(isinstance(operator, ChannelShuffle) for operator in segment.operators)
        if is_shuffled != (self.groups > 1) or pointwise[0].groups != self.groups:
            raise ValueError(f"segment {segment.name!r} has groups that a slice cannot have")

    def hidden_order(self) -> Tensor:
        """Return the hidden channel that stands at each position behind the shuffle."""
        return torch.arange(self.hidden).view(self.groups, -1).t().flatten()


def _begin_as_part(skip: SegmentModule) -> None:
    """Let a skip begin as nothing but its part of the super-kernel."""
    conv, norm, _ = skip
    assert isinstance(conv, nn.Conv2d)
    assert isinstance(norm, nn.BatchNorm2d)
    nn.init.zeros_(conv.weight)
    nn.init.constant_(norm.bias, SKIP_SHIFT)


def _kernel_slice(segment: Segment) -> KernelSlice | None:
    try:
        return KernelSlice(segment)
    except ValueError:
        return None


@cache
def _function(operator: Operator) -> nn.Module:
    """Return what computes an operator without weights; many layers share it."""
    return operator_module(operator)


def _is_depthwise(conv: Conv2d) -> bool:
    return conv.groups == conv.in_channels == conv.out_channels


def _centre(weight_C1HW: Tensor, kernel_size: int) -> Tensor:
    """Return the centre of depthwise kernels."""
    border = (weight_C1HW.shape[-1] - kernel_size) // 2
    return weight_C1HW[:, :, border:-border, border:-border] if border else weight_C1HW


def _block_diagonal(weight_OI11: Tensor, groups: int) -> Tensor:
    """Return the weight ``(O, I / groups, 1, 1)`` of a grouped convolution: the diagonal blocks."""
    rows, columns = weight_OI11.shape[0] // groups, weight_OI11.shape[1] // groups
    return torch.cat(
        [weight_OI11[g * rows : (g + 1) * rows, g * columns : (g + 1) * columns] for g in range(groups)]
    )
