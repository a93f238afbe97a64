"""The interface of an inference runtime: it loads a model, and a loaded model runs."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, runtime_checkable

from profiler_agent.measuring.canary import canary_us
from shared.protocol.device import Conditions
from shared.protocol.measurement import LeaseItem, NodeSamples
from shared.runtimes import RUNTIMES


class RuntimeUnavailableError(ValueError):
    """The runtime cannot be used on this device; the message says what to install."""


class UnsupportedWorkloadError(ValueError):
    """The runtime cannot run this workload under these conditions; the message says why."""


class LoadedModel(Protocol):
    """A model in memory, inputs and outputs bound, ready to run."""

    def run(self) -> None:
        """Run once and return when the output is there."""

    def run_profiled(self) -> None:
        """Run once under the runtime's own profiler, if the model was loaded for that."""

    def node_samples(self) -> Sequence[NodeSamples]:
        """Return one value per node and profiled run since the model was loaded; ends profiling."""


class Runtime(Protocol):
    """An inference runtime of this device."""

    @property
    def name(self) -> str:
        """One of ``shared.runtimes.RUNTIME_NAMES``."""

    @property
    def version(self) -> str:
        """The version that is installed."""

    @property
    def accelerators(self) -> tuple[str, ...]:
        """Those of ``shared.runtimes.ACCELERATORS`` that compute its networks here, the usual one first."""

    def load(self, item: LeaseItem, conditions: Conditions, artifact_path: Path | None) -> LoadedModel:
        """Load a workload.

        Raises:
            UnsupportedWorkloadError: the runtime lacks an operator, the dtype or the artifact.
        """


def require_file(runtime: str, item: LeaseItem, path: Path | None) -> Path:
    """Return the model file of an item if the runtime loads such files.

    Raises:
        UnsupportedWorkloadError: there is none, or it has another format.
    """
    wanted = RUNTIMES[runtime].model_format
    if path is None or (item.artifact and item.artifact.format != wanted):
        got = f"one of format {item.artifact.format}" if item.artifact else "none"
        raise UnsupportedWorkloadError(
            f"{runtime} needs a model file of format {wanted} for item {item.item_id!r}, got {got}"
        )
    return path


def require_dtype(runtime: str, conditions: Conditions) -> None:
    """Return if the runtime computes in the dtype of the conditions.

    Raises:
        UnsupportedWorkloadError: it does not; the message says in which ones it does.
    """
    dtypes = RUNTIMES[runtime].dtypes
    if conditions.dtype not in dtypes:
        raise UnsupportedWorkloadError(
            f"{runtime} runs dtype {' and '.join(dtypes)} here, not {conditions.dtype!r}; "
            f"ask for {dtypes[0]}"
        )


def required_accelerator(runtime: Runtime, item: LeaseItem, conditions: Conditions) -> str:
    """Return by its name what computes under these conditions.

    Args:
        runtime: what runs the item.
        item: what is measured.
        conditions: as a lease has them.

    Raises:
        UnsupportedWorkloadError: the runtime lacks it here, or does not tell the times of segments.
    """
    offered = runtime.accelerators
    wanted = conditions.accelerator or offered[0]
    if wanted not in offered:
        raise UnsupportedWorkloadError(
            f"{runtime.name} computes by {', '.join(offered)} here, not by {wanted!r}"
        )
    is_for_table = item.profile_segments and item.workload is not None
    if is_for_table and wanted not in RUNTIMES[runtime.name].tables_by:
        raise UnsupportedWorkloadError(
            f"{runtime.name} does not tell the times of segments on {wanted}, so no table can be made; "
            "whole networks can be measured"
        )
    return wanted


@dataclass(frozen=True, slots=True)
class Clock:
    """How time passes on a device: the clocks and the canary that the rounds read."""

    wall_ns: Callable[[], int] = time.perf_counter_ns
    cpu_ns: Callable[[], int] = time.thread_time_ns
    """Of the calling thread."""
    canary_us: Callable[[], float] = canary_us
    """How fast the device is now; see :mod:`profiler_agent.measuring.canary`."""


@runtime_checkable
class InVirtualTime(Protocol):
    """What a runtime has besides if its time is not the device's own."""

    def begin(self, seed: int) -> Clock:
        """Return the clock of a lease whose times are drawn from this seed."""
