"""State as a file of torch, with tensors of the CPU: it can be read where there is no accelerator."""

from io import BytesIO
from typing import Any

import torch


def torch_file(state: Any) -> bytes:
    """Return groups of tensors and plain values as a file of torch."""
    file = BytesIO()
    torch.save(_on_cpu(state), file)
    return file.getvalue()


def _on_cpu(value: Any) -> Any:
    """Return the same groups of values with every tensor on the CPU."""
    if isinstance(value, torch.Tensor):
        return value.cpu()
    if isinstance(value, dict):
        return {key: _on_cpu(member) for key, member in value.items()}
    return [_on_cpu(member) for member in value] if isinstance(value, list) else value
