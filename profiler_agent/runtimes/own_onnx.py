"""An ONNX file that somebody brought: any number of inputs and outputs, and its own names of nodes."""

import json
import tempfile
from collections.abc import Sequence
from pathlib import Path

import onnxruntime

from profiler_agent.runtimes.base import UnsupportedWorkloadError
from profiler_agent.runtimes.onnx_session import open_session
from profiler_agent.runtimes.own_inputs import input_arrays
from profiler_agent.runtimes.own_onnx_profile import own_nodes
from shared.protocol.device import Conditions
from shared.protocol.measurement import LeaseItem, NodeSamples

_DTYPES = {
    "tensor(float)": "float32",
    "tensor(float16)": "float16",
    "tensor(double)": "float64",
    "tensor(bool)": "bool",
    **{f"tensor({sign}int{bits})": f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)},
}


class OwnOnnxModel:
    """The file in a session; inputs and outputs stay where they are from run to run."""

    def __init__(self, item: LeaseItem, conditions: Conditions, path: Path, accelerator: str) -> None:
        """Load the file and run it once.

        Raises:
            UnsupportedWorkloadError: the runtime cannot load or run it; the message is the runtime's own.
        """
        self._profile_folder: tempfile.TemporaryDirectory[str] | None = None
        prefix = None
        if item.profile_segments:
            self._profile_folder = tempfile.TemporaryDirectory(prefix="edgenas-profile-")
            prefix = str(Path(self._profile_folder.name) / "node")
        try:
            self._session = open_session(path, conditions.threads, prefix, accelerator)
            self._binding = self._bound(item)
        except Exception as error:  # the runtime's exceptions have no class in common
            if self._profile_folder is not None:
                self._profile_folder.cleanup()
            if isinstance(error, UnsupportedWorkloadError):
                raise
            words = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
            raise UnsupportedWorkloadError(f"onnxruntime cannot run the file: {words}") from error
        self._is_timed = [False]
        """Which runs count, of all that the profile will show."""

    def run(self) -> None:
        self._session.run_with_iobinding(self._binding)
        self._is_timed.append(False)

    def run_profiled(self) -> None:
        self._session.run_with_iobinding(self._binding)
        self._is_timed.append(True)

    def node_samples(self) -> Sequence[NodeSamples]:
        if self._profile_folder is None:
            return ()
        events = json.loads(Path(self._session.end_profiling()).read_text())
        self._profile_folder.cleanup()
        self._profile_folder = None
        return own_nodes(events, self._is_timed)

    def _bound(self, item: LeaseItem) -> onnxruntime.IOBinding:
        """Run once, so that the runtime tells how large outputs are; then bind these."""
        session = self._session
        unknown = [each.type for each in session.get_inputs() if each.type not in _DTYPES]
        if unknown:
            raise UnsupportedWorkloadError(f"inputs of type {', '.join(unknown)} are not fed")
        arrays = input_arrays(item, {each.name: _DTYPES[each.type] for each in session.get_inputs()})
        inputs = {name: onnxruntime.OrtValue.ortvalue_from_numpy(array) for name, array in arrays.items()}
        first, bound = session.io_binding(), session.io_binding()
        for binding in (first, bound):
            for name, value in inputs.items():
                binding.bind_ortvalue_input(name, value)
        names = [each.name for each in session.get_outputs()]
        for name in names:
            first.bind_output(name)
        session.run_with_iobinding(first)
        for name, value in zip(names, first.get_outputs(), strict=True):
            if value.is_tensor():
                bound.bind_ortvalue_output(name, value)
            else:
                bound.bind_output(name)
        return bound
