"""The accelerator that a network computes on, and the precision of its products, fp32 or bf16.

Weights, images and all that is computed from them are on the accelerator. Theta is a small matrix on the
CPU; only the factors of a path travel. The random generators stay on the CPU too, so that what theta draws
and the order of the images are the same everywhere.

With mixed precision forward passes run under bf16 autocast. Weights, theta, gradients, losses and the
statistics of batch norms stay fp32. Losses need no scaling, since bf16 has the range of fp32.

Source: Kalamkar et al., "A Study of BFLOAT16 for Deep Learning Training" (arXiv 1905.12322).

Shape letters: N batch, C channels, H height, W width.
"""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import get_args

import torch
from torch import Tensor, nn

from search_server.nas.data.batches import Batch
from search_server.search_options import AcceleratorName

CPU = torch.device("cpu")


def choose_accelerator(name: str) -> torch.device:
    """Return the accelerator of a name; ``auto`` is the first that torch can use of cuda, mps and cpu.

    Raises:
        ValueError: there is no such accelerator, or torch cannot use it here; the message says what it can.
    """
    names = get_args(AcceleratorName)
    if name not in names:
        raise ValueError(f"accelerator must be one of {', '.join(names)}, got {name!r}")
    available = _available()
    if name == "auto":
        return torch.device(available[0])
    if name not in available:
        raise ValueError(
            f"accelerator {name!r} cannot be used: torch {torch.__version__} finds {', '.join(available)} "
            f"on this machine; choose one of these or 'auto', or install a torch and a driver for {name!r}"
        )
    return torch.device(name)


def accelerator_of(module: nn.Module) -> torch.device:
    """Return where the parameters of a module are."""
    return next(module.parameters()).device


def placed(batch: Batch, accelerator: torch.device) -> Batch:
    """Return a batch on an accelerator, and itself where it is there already."""
    images_NCHW, labels_N = batch
    return images_NCHW.to(accelerator), labels_N.to(accelerator)


@contextmanager
def repeatable() -> Iterator[None]:
    """Let cuDNN choose among kernels that give the same bits each time; the CPU always does."""
    cudnn = torch.backends.cudnn
    before = cudnn.deterministic
    cudnn.deterministic = True
    try:
        yield
    finally:
        cudnn.deterministic = before


def forward_precision(
    accelerator: torch.device, mixed_precision: bool
) -> AbstractContextManager[torch.autocast | None]:
    """Return the context of a forward pass; without mixed precision everything is left as it is."""
    return torch.autocast(accelerator.type, torch.bfloat16) if mixed_precision else nullcontext()


def in_full(logits_NC: Tensor) -> Tensor:
    """Return what a forward pass gave in single precision, unless it is in a higher one."""
    return logits_NC.to(torch.promote_types(logits_NC.dtype, torch.float32))


def _available() -> list[str]:
    """Return the accelerators that torch can use here, the fastest first."""
    is_usable = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    return [name for name, usable in is_usable.items() if usable]
