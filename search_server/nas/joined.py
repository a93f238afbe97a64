"""A network whose step several processes compute together, each on its own images.

torch's ``DistributedDataParallel`` takes the mean of the gradients. Batch norms take mean and variance over
the images of all processes: then the step is that of one process with the whole batch. ``SyncBatchNorm``
of torch does the same, on GPUs only.

Source: Ioffe and Szegedy, "Batch Normalization" (arXiv 1502.03167), for the gradient.

Shape letters: N batch, C channels, H height, W width, P processes, F figures.
"""

import warnings
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, distributed, nn
from torch.nn import functional as F
from torch.nn.parallel import DistributedDataParallel


def joined(
    module: nn.Module, *, ignored: Sequence[str] = (), finds_unused: bool = False
) -> DistributedDataParallel:
    """Return a module whose gradients are averaged over all processes as they come.

    All begin with the parameters of rank 0. Buffers stay with their process.

    Args:
        module: the same on all processes.
        ignored: parameters that have no gradient here.
        finds_unused: a step may leave parameters unused.
    """
    torch_class: Any = DistributedDataParallel  # without types
    torch_class._set_params_and_buffers_to_ignore_for_model(module, list(ignored))
    with warnings.catch_warnings(category=FutureWarning, action="ignore"):  # the new name is of torch 2.13
        return DistributedDataParallel(module, find_unused_parameters=finds_unused, broadcast_buffers=False)


def join_norms(network: nn.Module) -> None:
    """Have all batch norms of a network take their statistics over the images of all processes."""
    for parent in list(network.modules()):
        for name, norm in parent.named_children():
            if isinstance(norm, nn.BatchNorm2d):
                setattr(parent, name, JoinedBatchNorm.like(norm))


class JoinedBatchNorm(nn.BatchNorm2d):
    """A batch norm over the images of all processes, which may have unequal numbers of them."""

    @classmethod
    def like(cls, norm: nn.BatchNorm2d) -> "JoinedBatchNorm":
        """Return one with the weights and statistics of another batch norm, where these are."""
        joined_norm = cls(norm.num_features, norm.eps, norm.momentum).to(norm.weight)
        joined_norm.load_state_dict(norm.state_dict())
        return joined_norm

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002 - named as in torch
        """Return images ``(N, C, H, W)`` with their norm; in evaluation mode by the running statistics."""
        if not self.training:
            return super().forward(input)
        mean_C, variance_C, num_values = _statistics(input.detach().to(self.weight.dtype))
        assert self.running_mean is not None, "it keeps running statistics"
        assert self.running_var is not None, "it keeps running statistics"
        assert self.num_batches_tracked is not None, "it keeps running statistics"
        assert self.momentum is not None, "the running statistics are moving means"
        self.running_mean.lerp_(mean_C, self.momentum)
        self.running_var.lerp_(variance_C * (num_values / (num_values - 1)), self.momentum)
        self.num_batches_tracked.add_(1)
        function: Any = _Norm  # without types
        normed: Tensor = function.apply(
            input, self.weight, self.bias, mean_C, variance_C, num_values, self.eps
        )
        return normed


def _statistics(x_NCHW: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return mean ``(C,)``, variance ``(C,)`` and number of values of a channel, over all processes."""
    variance_C, mean_C = torch.var_mean(x_NCHW, dim=(0, 2, 3), correction=0)
    num_values = mean_C.new_full((1,), x_NCHW.numel() / x_NCHW.shape[1])
    figures_F = torch.cat([mean_C, variance_C, num_values])
    figures_PF = [torch.empty_like(figures_F) for _ in range(distributed.get_world_size())]
    distributed.all_gather(figures_PF, figures_F)
    num_channels = len(mean_C)
    mean_PC, variance_PC, num_values_P1 = torch.tensor_split(
        torch.stack(figures_PF), (num_channels, 2 * num_channels), dim=1
    )
    share_P1 = num_values_P1 / num_values_P1.sum()
    mean_C = (share_P1 * mean_PC).sum(0)
    variance_C = (share_P1 * (variance_PC + (mean_PC - mean_C) ** 2)).sum(0)
    return mean_C, variance_C, num_values_P1.sum()


class _Norm(torch.autograd.Function):
    """The norm by statistics of all processes, and its gradient, which all of them have a share in."""

    @staticmethod
    def forward(
        ctx: Any,
        x_NCHW: Tensor,
        weight_C: Tensor,
        bias_C: Tensor,
        mean_C: Tensor,
        variance_C: Tensor,
        num_values: Tensor,
        eps: float,
    ) -> Tensor:
        ctx.save_for_backward(x_NCHW, weight_C, mean_C, variance_C, num_values)
        ctx.eps = eps
        return F.batch_norm(x_NCHW, mean_C, variance_C, weight_C, bias_C, eps=eps)

    @staticmethod
    def backward(ctx: Any, grad_NCHW: Tensor) -> tuple[Tensor | None, ...]:
        x_NCHW, weight_C, mean_C, variance_C, num_values = ctx.saved_tensors
        # As if mean and variance were given: then theirs are two sums, over the images of all processes.
        x_grad_NCHW, weight_grad_C, bias_grad_C = torch.ops.aten.native_batch_norm_backward(
            grad_NCHW, x_NCHW, weight_C, mean_C, variance_C, None, None, False, ctx.eps, [True] * 3
        )
        sums_2C = torch.stack([weight_grad_C, bias_grad_C])
        distributed.all_reduce(sums_2C)
        scale_C = torch.rsqrt(variance_C + ctx.eps)
        slope_C = -weight_C * scale_C**2 * sums_2C[0] / num_values
        offset_C = -weight_C * scale_C * sums_2C[1] / num_values - slope_C * mean_C
        slope_C11, offset_C11 = slope_C[:, None, None], offset_C[:, None, None]
        whole_NCHW = torch.addcmul(x_grad_NCHW + offset_C11, x_NCHW, slope_C11).to(x_NCHW.dtype)
        return whole_NCHW, weight_grad_C, bias_grad_C, None, None, None, None
