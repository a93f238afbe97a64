from pathlib import Path

import ncnn
import numpy as np
import pytest
import torch

from search_server.model_files.folding import FoldedWeights
from search_server.model_files.ncnn_model import ncnn_param, ncnn_weights
from shared.workload import Workload
from tests.model_files.networks import (
    NEW_WORKLOADS,
    WORKLOAD,
    images_for,
    mean_of,
    trained_network,
    weights_of,
)


@pytest.mark.parametrize("workload", [WORKLOAD, *NEW_WORKLOADS.values()], ids=["fbnet", *NEW_WORKLOADS])
def test_the_model_computes_what_the_torch_network_computes(workload: Workload, tmp_path: Path) -> None:
    module = trained_network(workload)
    images = images_for(workload, 1) + mean_of(workload)
    with torch.inference_mode():
        expected = module(images - mean_of(workload))[0].numpy()
    param, weights = tmp_path / "net.param", tmp_path / "net.bin"
    param.write_text(ncnn_param(workload))
    weights.write_bytes(ncnn_weights(workload, FoldedWeights(weights_of(module))))
    net = ncnn.Net()
    for half in ("fp16_packed", "fp16_storage", "fp16_arithmetic", "bf16_packed", "bf16_storage"):
        setattr(net.opt, f"use_{half}", False)
    assert net.load_param(str(param)) == net.load_model(str(weights)) == 0
    extractor = net.create_extractor()
    extractor.input("images", ncnn.Mat(images[0].numpy()).clone())
    _, logits = extractor.extract("logits")
    np.testing.assert_allclose(np.array(logits), expected, rtol=1e-3, atol=1e-4)
