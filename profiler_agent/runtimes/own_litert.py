"""A TensorFlow Lite file that somebody brought: its first signature, timed as a whole.

LiteRT's wheel has no profile of nodes that Python can read, and the file has no signatures of segments.
"""

from collections.abc import Sequence

from ai_edge_litert.compiled_model import CompiledModel

from profiler_agent.runtimes.base import UnsupportedWorkloadError
from profiler_agent.runtimes.own_inputs import input_arrays
from shared.protocol.measurement import LeaseItem, NodeSamples


class OwnLitertModel:
    """The file with inputs and outputs that stay where they are from run to run."""

    def __init__(self, item: LeaseItem, model: CompiledModel) -> None:
        """Feed the file.

        Raises:
            UnsupportedWorkloadError: it takes other inputs than the lease says.
        """
        self._model = model
        signature = next(iter(model.get_signature_list()))
        details = model.get_input_tensor_details(signature)
        arrays = input_arrays(item, {name: str(each["dtype"]) for name, each in details.items()})
        try:
            for index, (name, each) in enumerate(details.items()):
                if tuple(each["shape"]) != arrays[name].shape:
                    model.resize_input_tensor(index, arrays[name].shape)
            self._inputs = model.create_input_buffers(0)
            for buffer, name in zip(self._inputs, details, strict=True):
                buffer.write(arrays[name])
            self._outputs = model.create_output_buffers(0)
        except (RuntimeError, ValueError) as error:
            words = str(error).strip().splitlines()[0]
            raise UnsupportedWorkloadError(
                f"litert cannot run the file with these inputs: {words}"
            ) from error

    def run(self) -> None:
        self._model.run_by_index(0, self._inputs, self._outputs)

    def run_profiled(self) -> None:
        self.run()

    def node_samples(self) -> Sequence[NodeSamples]:
        return ()
