"""The largest amount of memory that a search has used."""

import resource
import sys

import torch

_BYTES_PER_UNIT = 1 if sys.platform == "darwin" else 1024
"""``ru_maxrss`` counts bytes on macOS and kibibytes elsewhere."""


def peak_memory_bytes(accelerator: torch.device) -> int:
    """Return the most that tensors took on a CUDA device so far, elsewhere the largest resident set."""
    if accelerator.type == "cuda":
        return torch.cuda.max_memory_allocated(accelerator)
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * _BYTES_PER_UNIT
