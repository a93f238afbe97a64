from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from search_server.nas.supernet.entangled_layer import EntangledLayer
from search_server.nas.supernet.mixed_layer import MixedLayer, SeparateLayer
from shared.blocks import candidate_block
from shared.modules import SegmentModule
from shared.search_space import SearchSpace
from shared.workload import Segment
from tests.nas.small_search import SPACE as SMALL_SPACE
from tests.nas.small_search import generator

SPACE = replace(SMALL_SPACE, candidates=(*SMALL_SPACE.candidates, "k3_sep", "k5_sep"))


MOBILE_SPACE = replace(
    SMALL_SPACE,
    candidates=("k3_e2_se", "d3_k5_e3_hs", "d5_e2", "e4_r6", "k3_e2_g2_se", "k5_sep_se", "k3_e2.5", "skip"),
)


def mixed_layer(
    layer_class: type[SeparateLayer] | type[EntangledLayer], index: int, space: SearchSpace = SPACE
) -> MixedLayer:
    """A layer in training whose batch norms are not fresh."""
    layer = layer_class([segment_of(index, block, space) for block in space.candidates], generator(index))
    for norm in layer.modules():
        if isinstance(norm, nn.BatchNorm2d):
            nn.init.uniform_(norm.weight, 0.5, 1.5, generator=generator(1))
            nn.init.normal_(norm.bias, 0, 0.2, generator=generator(2))
    return layer.train()


def segment_of(index: int, block: str, space: SearchSpace = SPACE) -> Segment:
    return space.candidate(space.layers[index], block)


@pytest.mark.parametrize("layer_class", [SeparateLayer, EntangledLayer])
@pytest.mark.parametrize("index", [0, 1, 4])
@pytest.mark.parametrize("space", [SPACE, MOBILE_SPACE], ids=["fbnet", "mobile"])
def test_all_candidates_at_once_are_the_weighted_sum_of_each_alone(
    layer_class: type[SeparateLayer] | type[EntangledLayer], index: int, space: SearchSpace
) -> None:
    """In training: outputs, gradients and running statistics."""
    layer = mixed_layer(layer_class, index, space)
    blocks = []
    for candidate, block in enumerate(space.candidates):
        module = SegmentModule(segment_of(index, block, space)).train()
        module.load_state_dict(layer.candidate_state(candidate))
        blocks.append(module)
    everything = range(len(space.candidates))
    x_NCHW = 2 + torch.randn(6, *space.layers[index].input_shape, generator=generator(5))
    theta_K = torch.randn(len(space.candidates), generator=generator(6)).requires_grad_()
    weights_K = theta_K.softmax(0)

    def plain_loop(x_NCHW: Tensor) -> Tensor:
        return torch.stack([m * block(x_NCHW) for m, block in zip(weights_K, blocks, strict=True)]).sum(0)

    results = []
    for forward in (plain_loop, lambda x_NCHW: layer(x_NCHW, everything, weights_K)):
        leaf_NCHW = x_NCHW.clone().requires_grad_()
        y_NCHW = forward(leaf_NCHW)
        slope_NCHW = torch.randn(y_NCHW.shape, generator=generator(7))
        gradients = torch.autograd.grad(
            (y_NCHW * slope_NCHW).sum(), (leaf_NCHW, theta_K), retain_graph=True
        )
        results.append((y_NCHW.detach(), *gradients))
    torch.testing.assert_close(results[1], results[0], rtol=1e-3, atol=2e-4)
    for candidate, module in enumerate(blocks):
        state = layer.candidate_state(candidate)
        for name, value in module.state_dict().items():
            if "running" in name:
                torch.testing.assert_close(state[name], value, rtol=1e-4, atol=1e-4)


def entangled(*blocks: str) -> EntangledLayer:
    """A layer of 8 channels."""
    return EntangledLayer([candidate_block(block).lower("mine", 8, 8, 1) for block in blocks], generator(0))


def test_a_squeeze_and_excite_is_a_slice_of_the_largest() -> None:
    layer = entangled("k3_sep_se", "k3_e6_se")
    small, large = (layer.candidate_state(candidate) for candidate in (0, 1))
    few, many = small["3.reduce.weight"], large["6.reduce.weight"]
    assert few.shape == (8, 8, 1, 1)
    assert many.shape == (16, 48, 1, 1)
    assert torch.equal(few, many[:8, :8])
    assert torch.equal(small["3.expand.bias"], large["6.expand.bias"][:8])


def test_the_first_depthwise_kernel_is_the_centre_of_the_largest() -> None:
    layer = entangled("d3_e2", "d5_k3_e2")
    small, large = (layer.candidate_state(candidate)["0.weight"] for candidate in (0, 1))
    assert torch.equal(small, large[:, :, 1:-1, 1:-1])


def test_a_skip_that_changes_the_shape_begins_as_the_linear_part_of_the_others() -> None:
    """Where no ReLU bites, a block that only looks at its centre is the skip up to a factor and a shift."""
    layer = EntangledLayer([segment_of(4, block) for block in SPACE.candidates], generator(0))
    skip = SPACE.candidates.index("skip")
    assert layer.own_candidate == skip
    with torch.no_grad():
        layer.depthwise_M1HW[:, :, :, :2] = 0
        layer.depthwise_M1HW[:, :, :, 3:] = 0
        layer.depthwise_M1HW[:, :, :2] = 0
        layer.depthwise_M1HW[:, :, 3:] = 0
    weight_OI = layer.candidate_state(skip)["0.weight"][:, :, 0, 0]
    state = layer.candidate_state(SPACE.candidates.index("k5_e6"))
    expand_MI, depthwise_MHW, project_OM = (
        value.squeeze() for name, value in state.items() if value.ndim == 4
    )
    linear_OI = project_OM @ (depthwise_MHW.sum((1, 2))[:, None] * expand_MI)
    torch.testing.assert_close(weight_OI, linear_OI)
    x_NCHW = torch.randn(6, *SPACE.layers[4].input_shape, generator=generator(5))
    y_NCHW = layer.train()(x_NCHW, [skip])
    assert float((y_NCHW > 0).float().mean()) > 0.95
    gradient = torch.autograd.grad(y_NCHW.square().sum(), layer.project_OM11, allow_unused=True)[0]
    assert gradient.abs().max() > 0


def test_layers_that_keep_their_shape_have_no_candidate_with_weights_of_its_own() -> None:
    layer = EntangledLayer([segment_of(1, block) for block in SPACE.candidates], generator(0))
    assert layer.own_candidate is None
    alone = EntangledLayer([segment_of(4, "skip")], generator(0))
    assert alone.own_candidate is None
    assert alone.candidate_state(0)["0.weight"].abs().max() > 0


def test_a_layer_of_separable_blocks_alone_can_be_trained() -> None:
    """As the first of MobileNetV2: the larger kernel's centre is the smaller one."""
    layer = EntangledLayer([segment_of(4, block) for block in ("k3_sep", "k5_sep")], generator(0))
    small, large = (layer.candidate_state(candidate)["0.weight"] for candidate in (0, 1))
    assert torch.equal(small, large[:, :, 1:-1, 1:-1])
    x_NCHW = torch.randn(6, *SPACE.layers[4].input_shape, generator=generator(5))
    torch.autograd.backward(layer.train()(x_NCHW, [0]).square().sum())
    assert layer.depthwise_M1HW.grad is not None
    assert layer.depthwise_M1HW.grad.abs().max() > 0
