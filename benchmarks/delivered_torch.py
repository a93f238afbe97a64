"""The file of plain torch that a search delivers: written with weights as before training, and run."""

from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from search_server.exports.description import Description
from search_server.exports.python_file import python_file
from shared.architecture import Architecture
from shared.modules import network_module


def write_delivered_torch(network: Architecture, folder: Path) -> Path:
    """Write ``network.py`` and ``network.pt`` into a folder and return the path of the first."""
    workload = network.workload()
    module = network_module(workload, torch.Generator().manual_seed(0))
    torch.save(module.state_dict(), folder / "network.pt")
    size, names = workload.input_shape[-1], tuple(map(str, range(workload.output_shape[0])))
    path = folder / "network.py"
    path.write_text(python_file(workload, Description(network.space.name, str(network), size, names)))
    return path


class DeliveredTorch:
    """A delivered network on one thread, fed one image as Pillow gives it."""

    def __init__(self, path: Path, images_NCHW: NDArray[np.uint8]) -> None:
        spec = spec_from_file_location("delivered_network", path)
        assert spec is not None
        assert spec.loader is not None, "a path that ends in .py has a loader"
        module = module_from_spec(spec)
        spec.loader.exec_module(module)
        torch.set_num_threads(1)
        self._network = module.load()
        self._images = torch.from_numpy(images_NCHW).contiguous(memory_format=torch.channels_last)
        self._logits = torch.zeros(0)

    def run(self) -> None:
        with torch.inference_mode():
            self._logits = self._network(self._images)

    def output(self) -> NDArray[np.float64]:
        return np.asarray(self._logits.double().numpy().reshape(-1))
