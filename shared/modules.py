"""Workload -> ``nn.Module``: the torch interpreter of the operators; the only file here that needs torch.

Parameters and buffers of a network are named ``segments.<segment>.<operator index>.<what>`` where
``<what>`` is ``weight``, ``bias``, ``running_mean`` or ``running_var``: the third operator of segment
``layer01`` has its weight at ``segments.layer01.2.weight``. The two convolutions of a squeeze-and-excite
have ``reduce.weight``, ``reduce.bias``, ``expand.weight`` and ``expand.bias``.

Shape letters: N batch, C channels, H height, W width.
"""

import math
from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from shared.operators import (
    BatchNorm2d,
    ChannelShuffle,
    Conv2d,
    GlobalAvgPool,
    HSigmoid,
    HSwish,
    Linear,
    Operator,
    ReLU,
    ReLU6,
    SqueezeExcite,
)
from shared.workload import Segment, Workload

RESIDUAL_SCALE = 0.2
"""Of a residual block's last batch norm before training: a network begins nearly as shallow as its skips
make it, so that depth costs short trainings nothing.

Source: Goyal et al., "Accurate, Large Minibatch SGD" (arXiv 1706.02677), section 5.1, which sets it to 0.
"""


class SegmentModule(nn.Sequential):
    """One module an operator, in order; adds the input to the output if the segment is residual."""

    def __init__(self, segment: Segment) -> None:
        super().__init__(*(operator_module(operator) for operator in segment.operators))
        self.residual = segment.residual

    def forward(self, x_NCHW: Tensor) -> Tensor:
        y_NCHW = x_NCHW
        for module in self:
            y_NCHW = module(y_NCHW)
        return x_NCHW + y_NCHW if self.residual else y_NCHW


class NetworkModule(nn.Module):
    """A workload as a network: images ``(N, C, H, W)`` to logits ``(N, num_classes)``.

    A workload that ends in a feature map gives that map, flattened to ``(N, C * H * W)``.
    """

    def __init__(self, workload: Workload) -> None:
        super().__init__()
        self.segments = nn.ModuleDict({s.name: SegmentModule(s) for s in workload.segments})

    def forward(self, x_NCHW: Tensor) -> Tensor:
        for segment in self.segments.values():
            x_NCHW = segment(x_NCHW)
        return x_NCHW.flatten(1)


class ShuffleModule(nn.Module):
    """Channel ``i * C / groups + j`` moves to ``j * groups + i``."""

    def __init__(self, groups: int) -> None:
        super().__init__()
        self.groups = groups

    def forward(self, x_NCHW: Tensor) -> Tensor:
        num, channels, height, width = x_NCHW.shape
        grouped = x_NCHW.view(num, self.groups, channels // self.groups, height, width)
        return grouped.transpose(1, 2).reshape(num, channels, height, width)


class SqueezeExciteModule(nn.Module):
    """Scales each channel by a gate that looks at the whole map."""

    def __init__(self, channels: int, squeezed: int) -> None:
        super().__init__()
        self.reduce = nn.Conv2d(channels, squeezed, 1)
        self.expand = nn.Conv2d(squeezed, channels, 1)

    def forward(self, x_NCHW: Tensor) -> Tensor:
        return squeeze_excite(x_NCHW, dict(self.named_parameters()))


def squeeze_excite(x_NCHW: Tensor, weights: Mapping[str, Tensor]) -> Tensor:
    """Return a map with its channels scaled, by weights named as those of :class:`SqueezeExciteModule`."""
    mean_NC11 = x_NCHW.mean((2, 3), keepdim=True)
    squeezed_NS11 = F.relu(F.conv2d(mean_NC11, weights["reduce.weight"], weights["reduce.bias"]))
    gate_NC11 = F.hardsigmoid(F.conv2d(squeezed_NS11, weights["expand.weight"], weights["expand.bias"]))
    return x_NCHW * gate_NC11


class GlobalAvgPoolModule(nn.Module):
    """Mean over height and width, both kept as 1."""

    def forward(self, x_NCHW: Tensor) -> Tensor:
        return x_NCHW.mean((2, 3), keepdim=True)


class LinearModule(nn.Linear):
    """A fully connected layer over the channels of an ``(N, C, 1, 1)`` map."""

    def forward(self, x_NCHW: Tensor) -> Tensor:
        return super().forward(x_NCHW.flatten(1))[:, :, None, None]


def operator_module(operator: Operator) -> nn.Module:
    """Return the torch module that computes an operator."""
    match operator:
        case Conv2d():
            return nn.Conv2d(
                operator.in_channels,
                operator.out_channels,
                operator.kernel_size,
                operator.stride,
                operator.kernel_size // 2,
                groups=operator.groups,
                bias=False,
            )
        case BatchNorm2d():
            return nn.BatchNorm2d(operator.channels)
        case ReLU():
            return nn.ReLU(inplace=True)
        case ReLU6():
            return nn.ReLU6(inplace=True)
        case HSigmoid():
            return nn.Hardsigmoid()
        case HSwish():
            return nn.Hardswish()
        case ChannelShuffle():
            return ShuffleModule(operator.groups)
        case SqueezeExcite():
            return SqueezeExciteModule(operator.channels, operator.squeezed)
        case GlobalAvgPool():
            return GlobalAvgPoolModule()
        case Linear():
            return LinearModule(operator.in_features, operator.out_features)


def to_channels_last(module: nn.Module) -> None:
    """Store the weights of convolutions with the channels last, in place: what CPUs train fastest."""
    module.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # the stubs lack it


def network_module(workload: Workload, generator: torch.Generator) -> NetworkModule:
    """Return the network with fresh weights; the same generator state gives the same weights."""
    network = NetworkModule(workload)
    initialise(network, generator)
    return network


def initialise(module: nn.Module, generator: torch.Generator) -> None:
    """Set convolutions He-normal over their outputs, linear layers to uniform, batch norms to identity.

    The last batch norm of a residual block begins at ``RESIDUAL_SCALE``.

    Source: He et al., "Delving Deep into Rectifiers" (arXiv 1502.01852), equation 14.
    """
    for part in module.modules():
        if isinstance(part, nn.Conv2d):
            init_conv_weight(part.weight, part.groups, generator)
            if part.bias is not None:
                nn.init.zeros_(part.bias)
        elif isinstance(part, nn.BatchNorm2d):
            part.reset_running_stats()
            nn.init.ones_(part.weight)
            nn.init.zeros_(part.bias)
        elif isinstance(part, nn.Linear):
            bound = 1 / math.sqrt(part.in_features)
            nn.init.uniform_(part.weight, -bound, bound, generator=generator)
            nn.init.zeros_(part.bias)
    for part in module.modules():
        if isinstance(part, SegmentModule) and part.residual:
            scale_residual(part[-1])


def scale_residual(norm: nn.Module) -> None:
    """Let a residual block's last batch norm begin at ``RESIDUAL_SCALE``."""
    assert isinstance(norm, nn.BatchNorm2d), f"a residual block ends in a batch norm, not {norm}"
    nn.init.constant_(norm.weight, RESIDUAL_SCALE)


def init_conv_weight(weight_OIHW: Tensor, groups: int, generator: torch.Generator) -> None:
    """Fill a convolution's weight with normals of variance ``2 / fan_out``, in place."""
    out_channels, _, height, width = weight_OIHW.shape
    fan_out = out_channels // groups * height * width
    nn.init.normal_(weight_OIHW, 0.0, math.sqrt(2 / fan_out), generator=generator)
