from pathlib import Path

import ncnn
import numpy as np
import torch

from search_server.model_files.folding import FoldedWeights
from search_server.model_files.ncnn_model import ncnn_param, ncnn_weights
from tests.model_files.networks import WORKLOAD, trained_network, weights_of


def test_the_model_computes_what_the_torch_network_computes(tmp_path: Path) -> None:
    module = trained_network(WORKLOAD)
    images = torch.randn(1, *WORKLOAD.input_shape)
    with torch.inference_mode():
        expected = module(images)[0].numpy()
    param, weights = tmp_path / "net.param", tmp_path / "net.bin"
    param.write_text(ncnn_param(WORKLOAD))
    weights.write_bytes(ncnn_weights(WORKLOAD, FoldedWeights(weights_of(module))))
    net = ncnn.Net()
    assert net.load_param(str(param)) == net.load_model(str(weights)) == 0
    extractor = net.create_extractor()
    extractor.input("images", ncnn.Mat(images[0].numpy()))
    _, logits = extractor.extract("logits")
    np.testing.assert_allclose(np.array(logits), expected, rtol=1e-3, atol=1e-4)
