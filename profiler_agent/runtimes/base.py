"""What every inference runtime offers to the harness."""

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from shared.device import Conditions
from shared.measurement import LeaseItem, NodeSamples


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
        """One of ``shared.device.RUNTIME_NAMES``."""

    @property
    def version(self) -> str:
        """The version that is installed."""

    def load(self, item: LeaseItem, conditions: Conditions, artifact_path: Path | None) -> LoadedModel:
        """Load a workload.

        Raises:
            UnsupportedWorkloadError: the runtime lacks an operator, the dtype or the artifact.
        """
