"""A checkpoint: the state of a search on disk, with everything that the next step depends on.

A search that is killed and goes on from its last checkpoint ends with the same bits as one that was left
alone. So a checkpoint holds weights, theta, both optimisers, the place in the schedules, the random
generators (torch's own too) and the order of the data. It also holds options, space and table, and is
not continued under others. It does not hold the accelerator: a search can go on on another one, to the
same bits on the CPU only, since others do not sum in a fixed order.
"""

import os
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import IO, Any, Protocol, runtime_checkable

import torch

from search_server.nas.search import SearchRun
from search_server.nas.torch_file import torch_file
from search_server.option_field import options_of
from search_server.search_options import SearchOptions


@runtime_checkable
class Resumable(Protocol):
    """A loader that can go on from a state: ``Batches``, or torchdata's ``StatefulDataLoader``."""

    def state_dict(self) -> dict[str, Any]:
        """Return the place in the order of the data."""

    def load_state_dict(self, state: dict[str, Any], /) -> None:
        """Go on from a place."""


class CheckpointMismatchError(ValueError):
    """A checkpoint belongs to another search; the message says in what it differs."""


def save_checkpoint(run: SearchRun, path: Path) -> None:
    """Write the state between two epochs; the file is whole or not there."""
    part = path.with_suffix(".part")
    part.write_bytes(checkpoint_bytes(run))
    os.replace(part, path)


def checkpoint_bytes(run: SearchRun) -> bytes:
    """Return the state between two epochs as a file of torch, with tensors of the CPU."""
    return torch_file({**circumstances(run), **state(run)})


def load_checkpoint(run: SearchRun, file: Path | IO[bytes]) -> None:
    """Bring a new run of the same search to the state that was saved.

    Raises:
        CheckpointMismatchError: the checkpoint was written by another search, or by other code.
    """
    saved = torch.load(file, weights_only=True)
    differing = _differing(saved, circumstances(run))
    if differing:
        raise CheckpointMismatchError(
            f"the checkpoint is of another search: {', '.join(differing)} differ; submit the search "
            "anew instead of resuming it"
        )
    if saved.get("shards", 1) != run.shards.number:  # an earlier version knew no shards
        raise CheckpointMismatchError(
            f"the checkpoint has steps of {saved.get('shards', 1)} shards, the search has "
            f"{run.shards.number}; go on with as many as it has: checkpoint_place() tells"
        )
    run.supernet.load_state_dict(saved["supernet"])
    run.weights.optimiser.load_state_dict(saved["weight_optimiser"])
    run.theta.optimiser.load_state_dict(saved["theta_optimiser"])
    run.theta.effects.load_state_dict(saved["effects"])
    run.generator.set_state(saved["generator"])
    run.epoch, run.step = saved["epoch"], saved["step"]
    torch.set_rng_state(saved["torch_rng"])
    for batches, batches_state in zip(_resumable_batches(run), saved["batches"], strict=True):
        batches.load_state_dict(batches_state)


@dataclass(frozen=True, slots=True)
class Place:
    """Where a search is."""

    epoch: int
    """Epochs that are done."""
    step: int
    num_shards: int
    """Of each of its steps, from its beginning to its end."""


def checkpoint_place(file: Path | IO[bytes]) -> Place:
    """Return where the search is that wrote a checkpoint."""
    saved = torch.load(file, weights_only=True)
    return Place(saved["epoch"], saved["step"], saved.get("shards", 1))


def circumstances(run: SearchRun) -> dict[str, Any]:
    """Return what must be equal for a checkpoint to be continued."""
    return {
        "space": run.space.name,
        "options": {name: getattr(run.options, name) for name in options_of(SearchOptions)},
        "limits": {cap.name: cap.limit for cap in run.caps},
        "table": run.table_hash,
        "version": version("edgenas"),
    }


def state(run: SearchRun) -> dict[str, Any]:
    """Return what changes from epoch to epoch."""
    return {
        "supernet": run.supernet.state_dict(),
        "weight_optimiser": run.weights.optimiser.state_dict(),
        "theta_optimiser": run.theta.optimiser.state_dict(),
        "effects": run.theta.effects.state_dict(),
        "generator": run.generator.get_state(),
        "epoch": run.epoch,
        "step": run.step,
        "shards": run.shards.number,
        "torch_rng": torch.get_rng_state(),
        "batches": [batches.state_dict() for batches in _resumable_batches(run)],
    }


def _differing(saved: dict[str, Any], wanted: dict[str, Any]) -> list[str]:
    """Return the names of unequal values; a group of values is told with its unequal members."""
    names = []
    for name, value in wanted.items():
        before = saved.get(name)
        if isinstance(value, dict) and isinstance(before, dict) and before != value:
            members = sorted(
                key for key in value.keys() | before.keys() if value.get(key) != before.get(key)
            )
            names.append(f"{name} ({', '.join(members)})")
        elif before != value:
            names.append(name)
    return names


def _resumable_batches(run: SearchRun) -> list[Resumable]:
    """Return the loaders with a state; a plain ``DataLoader`` takes its order from torch's generator."""
    loaders = (run.weight_batches, run.theta_batches)
    return [batches for batches in loaders if isinstance(batches, Resumable)]
