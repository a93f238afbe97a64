"""The state of a search on disk: everything that the next step depends on.

A search that is killed and goes on from its last checkpoint ends with the same bits as one that was left
alone: weights, theta, both optimisers, the learning rate schedule, the random generator and the order of
the data are all part of it. Configuration, space and table are part of it too, so that a checkpoint is
never continued under other circumstances.
"""

import os
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

from search_server.nas.batches import Batches
from search_server.nas.search import SearchRun


class CheckpointMismatchError(ValueError):
    """A checkpoint belongs to another search; the message says in what it differs."""


def save_checkpoint(run: SearchRun, path: Path) -> None:
    """Write the state between two epochs; the file is whole or not there."""
    part = path.with_suffix(".part")
    torch.save({**circumstances(run), **state(run)}, part)
    os.replace(part, path)


def load_checkpoint(run: SearchRun, path: Path) -> None:
    """Bring a new run of the same search to the state that was saved.

    Raises:
        CheckpointMismatchError: the checkpoint was written by another search, or by other code.
    """
    saved = torch.load(path, weights_only=True)
    differing = _differing(saved, circumstances(run))
    if differing:
        raise CheckpointMismatchError(
            f"checkpoint {path} is of another search: {', '.join(differing)} differ; submit the search "
            "anew instead of resuming it"
        )
    run.supernet.load_state_dict(saved["supernet"])
    run.weight_optimiser.load_state_dict(saved["weight_optimiser"])
    run.schedule.load_state_dict(saved["schedule"])
    run.theta.optimiser.load_state_dict(saved["theta_optimiser"])
    run.generator.set_state(saved["generator"])
    run.epoch, run.step = saved["epoch"], saved["step"]
    for batches, epoch in zip(_batches(run), saved["data_epochs"], strict=True):
        batches.load_state_dict({"epoch": epoch})


def circumstances(run: SearchRun) -> dict[str, Any]:
    """Return what must be equal for a checkpoint to be continued."""
    return {
        "space": run.space.name,
        "config": asdict(run.config),
        "table": run.table_hash,
        "version": version("edgenas"),
    }


def state(run: SearchRun) -> dict[str, Any]:
    """Return what changes from epoch to epoch."""
    return {
        "supernet": run.supernet.state_dict(),
        "weight_optimiser": run.weight_optimiser.state_dict(),
        "schedule": run.schedule.state_dict(),
        "theta_optimiser": run.theta.optimiser.state_dict(),
        "generator": run.generator.get_state(),
        "epoch": run.epoch,
        "step": run.step,
        "data_epochs": [batches.epoch for batches in _batches(run)],
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


def _batches(run: SearchRun) -> list[Batches]:
    """Return the run's own batches; a foreign data loader keeps its order to itself."""
    return [batches for batches in (run.weight_batches, run.theta_batches) if isinstance(batches, Batches)]
