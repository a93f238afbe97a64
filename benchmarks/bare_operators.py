"""How long the convolutions and products of a supernet take on their own, forward and backward.

Every convolution and linear layer of all candidates, of the shapes that they have in the supernet, each on
tensors of its own, without batch norms, activations or sums: the rate that a step could reach at best.
"""

from collections.abc import Iterator

import torch
from torch import Tensor
from torch.nn import functional as F

from benchmarks.step_kinds import Setting
from shared.operators import Conv2d, Linear, Shape
from shared.search_space import SearchSpace

Product = Conv2d | Linear


class BareOperators:
    """The products of all candidates of a space, ready to run."""

    def __init__(self, setting: Setting) -> None:
        space = setting.space
        self.counts: dict[tuple[Product, Shape], int] = {}
        for product in _products(space):
            self.counts[product] = self.counts.get(product, 0) + 1
        self._num_candidates = len(space.candidates)
        self._fixed_macs = sum(
            placed.segment.macs(placed.input_shape) for placed in space.segments() if placed.layer is None
        )
        self._tensors = {product: _tensors(*product, setting) for product in self.counts}

    @property
    def macs(self) -> int:
        """Multiply-accumulates of all candidates for one image, forward only."""
        return sum(count * operator.macs(shape) for (operator, shape), count in self.counts.items())

    @property
    def mean_path_macs(self) -> float:
        """Multiply-accumulates of the mean network of the space."""
        return self._fixed_macs + (self.macs - self._fixed_macs) / self._num_candidates

    def run(self) -> int:
        """Compute every product, and its gradients by input and weight, as often as it occurs; return 1."""
        for (operator, _), count in self.counts.items():
            x, weight, slope = self._tensors[operator, _]
            for _repeat in range(count):
                torch.autograd.grad(_forward(operator, x, weight), (x, weight), slope)
        return 1


def _products(space: SearchSpace) -> Iterator[tuple[Product, Shape]]:
    for placed in space.segments():
        shape = placed.input_shape
        for operator in placed.segment.operators:
            if isinstance(operator, Conv2d | Linear):
                yield operator, shape
            shape = operator.output_shape(shape)


def _tensors(operator: Product, shape: Shape, setting: Setting) -> tuple[Tensor, Tensor, Tensor]:
    """Return input, weight and the slope of a loss by the output."""
    num_images = setting.num_images
    if isinstance(operator, Linear):
        x = torch.randn(num_images, operator.in_features)
        weight = torch.randn(operator.out_features, operator.in_features)
    else:
        size, groups = operator.kernel_size, operator.groups
        x = torch.randn(num_images, *shape).to(memory_format=torch.channels_last)
        weight = torch.randn(operator.out_channels, operator.in_channels // groups, size, size)
        weight = weight.to(memory_format=torch.channels_last)
    dtype = torch.bfloat16 if setting.mixed_precision else torch.float32
    x, weight = (each.to(setting.accelerator, dtype).requires_grad_() for each in (x, weight))
    return x, weight, torch.randn_like(_forward(operator, x, weight).detach())


def _forward(operator: Product, x: Tensor, weight: Tensor) -> Tensor:
    if isinstance(operator, Linear):
        return F.linear(x, weight)
    padding = operator.kernel_size // 2
    return F.conv2d(x, weight, None, operator.stride, padding, groups=operator.groups)
