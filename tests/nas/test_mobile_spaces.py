"""The spaces of MobileNetV3 and V4 are searched like the others, with shared weights and with their own."""

import pytest
import torch

from search_server.nas.search import search
from search_server.nas.supernet.paths import single_path
from search_server.search_options import SearchOptions, WeightsName
from shared.modules import NetworkModule
from shared.search_space import search_space
from tests.nas.small_search import MacsTable, digit_batches, generator


@pytest.mark.parametrize("weights", ["entangled", "separate"])
@pytest.mark.parametrize(
    "name",
    [
        "mobilenetv3-tiny:width=0.25",
        "mobilenetv4-tiny:width=0.25",
        # A second layer behind pooling, with a batch norm and without.
        "mobilenetv3-224:width=0.1,head=64,classes=10",
        "mobilenetv4-224:width=0.1,head=64,classes=10",
    ],
)
def test_a_search_holds_its_budget_and_hands_over_a_network(name: str, weights: WeightsName) -> None:
    space = search_space(f"{name},resolution=16")
    table = MacsTable(space)
    rows = table.latency_us_LK()
    target_us = table.fixed_us + sum(0.6 * min(row) + 0.4 * max(row) for row in rows)
    options = SearchOptions(epochs=2, warmup_epochs=1, target_ms=target_us / 1000, weights=weights)
    run = search(space, table, *digit_batches(), options)
    _, last = run
    assert last.expected_latency_us <= 1.0001 * target_us
    found = run.supernet.architecture()
    images = torch.randn(2, *space.input_shape, generator=generator(1))
    network = NetworkModule(found.workload()).eval()
    network.load_state_dict(run.supernet.extract_weights(found))
    with torch.no_grad():
        expected = run.supernet.eval()(images, single_path(found.indices))
        torch.testing.assert_close(network(images), expected, rtol=1e-3, atol=1e-4)
