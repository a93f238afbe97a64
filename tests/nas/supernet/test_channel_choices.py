"""Blocks that differ in their choice of channels are one block with a mask, and cost one block."""

from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from search_server.nas.supernet.entangled_layer import EntangledLayer
from shared.blocks import candidate_block, narrowest_choice
from shared.modules import SegmentModule
from shared.traits import ActivationName, Traits
from shared.workload import Segment
from tests.nas.small_search import generator

INNER = (8, 16, 40)
BLOCKS = ("k3_c3", "k3_c1", "k5_c2", "k3_c2", "skip")
"""Out of order, as a space may have them; the first, second and fourth are of one kind."""
NARROW_TO_WIDE = (1, 3, 0)


def segments(traits: Traits, stride: int = 1) -> list[Segment]:
    return [candidate_block(block).lower("mine", 8, 8, stride, traits) for block in BLOCKS]


def used_layer(parts: list[Segment]) -> EntangledLayer:
    """A layer in training, of doubles, whose batch norms are not fresh."""
    layer = EntangledLayer(parts, generator(0), [narrowest_choice(block) for block in BLOCKS])
    noise = generator(1)
    for norm in layer.modules():
        if isinstance(norm, nn.BatchNorm2d):
            nn.init.uniform_(norm.weight, 0.5, 1.5, generator=noise)
            nn.init.normal_(norm.bias, 0, 0.2, generator=noise)
    return layer.double().train()


def modules(layer: EntangledLayer, parts: list[Segment]) -> list[SegmentModule]:
    """The blocks as networks have them, with their slices of the layer's weights."""
    blocks = []
    for candidate, part in enumerate(parts):
        block = SegmentModule(part).double().train()
        block.load_state_dict(layer.candidate_state(candidate))
        blocks.append(block)
    return blocks


def images() -> Tensor:
    return torch.randn(3, 8, 6, 6, generator=generator(5), dtype=torch.float64)


@pytest.mark.parametrize("activation", ["relu", "hswish"])
@pytest.mark.parametrize("stride", [1, 2])
def test_a_narrow_block_is_the_wide_one_with_a_mask(activation: ActivationName, stride: int) -> None:
    parts = segments(Traits(activation=activation, inner_channels=INNER), stride)
    layer = used_layer(parts)
    blocks = modules(layer, parts)
    wide = blocks[NARROW_TO_WIDE[-1]]
    for candidate, channels in zip(NARROW_TO_WIDE, INNER, strict=True):
        mask_M11 = (torch.arange(INNER[-1]) < channels).double()[:, None, None]
        inside_NMHW = images()
        for module in list(wide)[:6]:
            inside_NMHW = module(inside_NMHW)
        masked_NCHW = blocks[candidate][7](wide[6](mask_M11 * inside_NMHW))
        masked_NCHW = masked_NCHW + images() if stride == 1 else masked_NCHW
        torch.testing.assert_close(layer(images(), [candidate]), masked_NCHW, rtol=1e-12, atol=1e-12)
        torch.testing.assert_close(blocks[candidate](images()), masked_NCHW, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("traits", [Traits(), Traits(True, "hswish")], ids=["plain", "squeezed"])
@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("candidates", [(0, 1, 2, 3, 4), (3, 0), (1, 2)])
def test_several_at_once_are_the_weighted_sum_of_the_narrow_networks(
    traits: Traits, stride: int, candidates: tuple[int, ...]
) -> None:
    """Outputs, gradients of the input, of the factors and of weights, and running statistics."""
    parts = segments(replace(traits, inner_channels=INNER), stride)
    layer = used_layer(parts)
    blocks = modules(layer, parts)
    theta_K = torch.randn(len(BLOCKS), generator=generator(6), dtype=torch.float64).requires_grad_()
    x_NCHW = images().requires_grad_()
    weights_K = (theta_K[list(candidates)]).softmax(0)
    full_K = torch.zeros(len(BLOCKS), dtype=torch.float64).index_put((torch.tensor(candidates),), weights_K)
    alone_NCHW = torch.stack([full_K[k] * blocks[k](x_NCHW) for k in candidates]).sum(0)
    at_once_NCHW = layer(x_NCHW, candidates, full_K)
    torch.testing.assert_close(at_once_NCHW, alone_NCHW, rtol=1e-11, atol=1e-11)
    slope_NCHW = torch.randn(alone_NCHW.shape, generator=generator(7), dtype=torch.float64)
    expected = torch.autograd.grad((alone_NCHW * slope_NCHW).sum(), (x_NCHW, theta_K), retain_graph=True)
    torch.autograd.backward((alone_NCHW * slope_NCHW).sum(), retain_graph=True)
    own = torch.autograd.grad((at_once_NCHW * slope_NCHW).sum(), (x_NCHW, theta_K), retain_graph=True)
    torch.testing.assert_close(own, expected, rtol=1e-9, atol=1e-9)
    (depthwise_M1HW,) = torch.autograd.grad((at_once_NCHW * slope_NCHW).sum(), layer.depthwise_M1HW)
    by_blocks_M1HW = torch.zeros_like(depthwise_M1HW)
    inverted = [candidate for candidate in candidates if BLOCKS[candidate] != "skip"]
    for candidate in inverted:
        depthwise = blocks[candidate][3]
        assert isinstance(depthwise, nn.Conv2d)
        assert depthwise.weight.grad is not None
        border = (5 - depthwise.kernel_size[0]) // 2
        by_blocks_M1HW[: len(depthwise.weight)] += nn.functional.pad(depthwise.weight.grad, [border] * 4)
    if stride == 2 and "skip" in (BLOCKS[candidate] for candidate in candidates):
        # The skip that is a convolution learns from the kernel's centre too.
        depthwise_M1HW[:, :, 2, 2] = by_blocks_M1HW[:, :, 2, 2] = 0.0
    torch.testing.assert_close(depthwise_M1HW, by_blocks_M1HW, rtol=1e-9, atol=1e-9)
    for candidate in inverted:
        state = layer.candidate_state(candidate)
        for name, value in blocks[candidate].state_dict().items():
            if "running" in name:
                torch.testing.assert_close(state[name], value, rtol=1e-9, atol=1e-9)


def test_all_choices_of_one_kind_cost_what_the_widest_costs() -> None:
    """Counted by torch: two floating-point operations a product, 3 images of 36 pixels."""
    layer = used_layer(segments(Traits(inner_channels=INNER)))
    weights_K = torch.full((len(BLOCKS),), 1 / 3, dtype=torch.float64)
    counted = []
    for candidates in ((0, 1, 3), (0,), (1,)):
        with FlopCounterMode(display=False) as counter, torch.no_grad():
            layer(images(), candidates, weights_K)
        counted.append(counter.get_total_flops())
    assert counted == [2 * 3 * 36 * channels * (8 + 9 + 8) for channels in (40, 40, 8)]


def test_choices_share_their_inner_batch_norms_and_have_a_last_one_each() -> None:
    """Of ``k3``: two of 40 channels for all three and three of 8; of ``k5_c2``: its own three."""
    layer = used_layer(segments(Traits(inner_channels=INNER)))
    sizes = [norm.num_features for norm in layer.norms if isinstance(norm, nn.BatchNorm2d)]
    assert sorted(sizes) == sorted([40, 40, 8, 8, 8, 16, 16, 8])


def test_a_branch_that_is_computed_again_gives_the_same_gradient() -> None:
    gradients = []
    for again in (False, True):
        layer = used_layer(segments(Traits(inner_channels=INNER)))
        layer.recomputes_branches = again
        weights_K = torch.full((len(BLOCKS),), 0.2, dtype=torch.float64)
        torch.autograd.backward(layer(images(), range(len(BLOCKS)), weights_K).square().sum())
        assert layer.expand_MI11.grad is not None
        gradients.append(layer.expand_MI11.grad)
    torch.testing.assert_close(gradients[1], gradients[0], rtol=1e-12, atol=1e-12)
