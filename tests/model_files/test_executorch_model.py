from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from search_server.model_files.executorch_model import NETWORK, pte_bytes
from shared.architecture import parse_architecture
from shared.operators import BatchNorm2d, ChannelShuffle, Conv2d, ReLU
from shared.workload import Segment, Workload
from tests.model_files.networks import NEW_WORKLOADS, WORKLOAD, images_for, trained_network, weights_of

ODD = Workload(
    (4, 7, 9), (Segment("only", (ChannelShuffle(2), ReLU(), Conv2d(4, 6, 5, 2), BatchNorm2d(6), ReLU())),)
)


def load(model: bytes, folder: Path) -> Any:
    """Return the program, or skip: the suite does not install ExecuTorch."""
    bindings = pytest.importorskip("executorch.extension.pybindings._C")
    path = folder / "model.pte"
    path.write_bytes(model)
    return bindings._load_program(str(path))


@pytest.mark.parametrize(
    "workload", [WORKLOAD, ODD, *NEW_WORKLOADS.values()], ids=["fbnet", "odd", *NEW_WORKLOADS]
)
def test_the_network_computes_what_the_torch_network_computes(workload: Workload, tmp_path: Path) -> None:
    module = trained_network(workload)
    images = images_for(workload, 2)
    with torch.inference_mode():
        expected = module(images).numpy()
    program = load(pte_bytes(workload, weights_of(module), batch=2), tmp_path)
    (output,) = program.load_method(NETWORK)([images.permute(0, 2, 3, 1).contiguous()])
    np.testing.assert_allclose(channels_first(output), expected, rtol=1e-3, atol=1e-4)


def test_the_segments_one_after_another_compute_the_network(tmp_path: Path) -> None:
    module = trained_network(WORKLOAD)
    images_NHWC = torch.randn(1, *WORKLOAD.input_shape).permute(0, 2, 3, 1).contiguous()
    program = load(pte_bytes(WORKLOAD, weights_of(module)), tmp_path)
    (expected,) = program.load_method(NETWORK)([images_NHWC])
    methods = [program.load_method(segment.name) for segment in WORKLOAD.segments if segment.operators]
    for method in methods:
        method.set_inputs([torch.zeros(method.method_meta().input_tensor_meta(0).sizes())])
    methods[0].set_inputs([images_NHWC])
    for method in methods:
        method.execute()
    (actual,) = methods[-1].get_outputs()
    np.testing.assert_array_equal(actual.numpy(), expected.numpy())


def test_a_timing_model_holds_its_zeros_once() -> None:
    workload = parse_architecture("fbnet-a").workload()
    assert len(pte_bytes(workload)) < 3 * workload.num_params  # fp32 would take four bytes each


def test_network_and_segments_share_their_weights() -> None:
    model = pte_bytes(WORKLOAD, weights_of(trained_network(WORKLOAD)))
    assert len(model) < 1.3 * 4 * WORKLOAD.num_params + 100_000


def test_the_header_says_where_the_graphs_lie() -> None:
    model = pte_bytes(WORKLOAD)
    assert model[4:12] == b"ET12eh00"
    start = int.from_bytes(model[24:32], "little")
    assert model[start + 4 : start + 8] == b"XH00"
    assert start + int.from_bytes(model[32:40], "little") == len(model)


def test_missing_weights_are_named() -> None:
    with pytest.raises(ValueError, match=r"weights lack 'only\.2\.weight'"):
        pte_bytes(ODD, {})


def channels_first(output_NHWC: torch.Tensor) -> NDArray[np.float32]:
    return output_NHWC.permute(0, 3, 1, 2).flatten(1).numpy()
