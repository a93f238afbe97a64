from collections.abc import Callable

import pytest

from shared.blocks import squeezed_channels
from shared.operators import (
    BatchNorm2d,
    ChannelShuffle,
    Conv2d,
    GlobalAvgPool,
    HSigmoid,
    HSwish,
    Linear,
    ReLU,
    ReLU6,
    SqueezeExcite,
)


def test_a_strided_convolution_by_hand() -> None:
    conv = Conv2d(3, 16, kernel_size=3, stride=2)
    assert conv.output_shape((3, 7, 8)) == (16, 4, 4)
    assert conv.num_params == 16 * 3 * 9
    assert conv.macs((3, 7, 8)) == 16 * 3 * 9 * 4 * 4


def test_groups_divide_the_work() -> None:
    assert Conv2d(8, 8, 3, groups=8).macs((8, 5, 5)) == 8 * 9 * 25
    assert Conv2d(8, 4, groups=2).num_params == 4 * 4


def test_the_other_operators() -> None:
    assert BatchNorm2d(4).num_params == 8
    assert BatchNorm2d(4).macs((4, 2, 2)) == 0
    assert ReLU().output_shape((1, 2, 3)) == (1, 2, 3)
    assert ChannelShuffle(2).output_shape((4, 1, 1)) == (4, 1, 1)
    assert GlobalAvgPool().output_shape((5, 7, 7)) == (5, 1, 1)
    assert Linear(5, 3).output_shape((5, 1, 1)) == (3, 1, 1)
    assert Linear(5, 3).num_params == 18
    assert Linear(5, 3).macs((5, 1, 1)) == 15


def test_a_squeeze_and_excite_by_hand() -> None:
    """16 to 8 channels and back, both with a bias; on one pixel, however large the map."""
    squeeze = SqueezeExcite(16, 8)
    assert squeeze.output_shape((16, 5, 7)) == (16, 5, 7)
    assert squeeze.macs((16, 5, 7)) == 16 * 8 + 8 * 16
    assert squeeze.num_params == 16 * 8 + 8 + 8 * 16 + 16


def test_squeezed_channels_are_those_of_the_published_mobilenet_v3() -> None:
    """Table 1 of the paper with the sizes of its released checkpoints."""
    published = {72: 24, 120: 32, 480: 120, 672: 168, 960: 240, 16: 8}
    assert {channels: squeezed_channels(channels) for channels in published} == published


@pytest.mark.parametrize("activation", [ReLU6(), HSwish(), HSigmoid()])
def test_activations_cost_no_products(activation: ReLU6 | HSwish | HSigmoid) -> None:
    assert activation.output_shape((3, 4, 5)) == (3, 4, 5)
    assert activation.macs((3, 4, 5)) == activation.num_params == 0


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: Conv2d(0, 1), "Conv2d in_channels must be at least 1, got 0"),
        (lambda: Conv2d(1, 1, kernel_size=2), "kernel_size must be odd, got 2"),
        (lambda: Conv2d(3, 4, groups=2), "groups=2 must divide in_channels=3"),
        (lambda: Conv2d(3, 4).output_shape((5, 1, 1)), "takes 3 channels, got 5"),
        (lambda: ChannelShuffle(2).output_shape((3, 1, 1)), "groups=2 must divide 3 channels"),
        (lambda: SqueezeExcite(4, 0), "SqueezeExcite squeezed must be at least 1, got 0"),
        (lambda: SqueezeExcite(4, 2).output_shape((3, 1, 1)), "squeeze_excite takes 4 channels, got 3"),
        (lambda: Linear(2, 2).output_shape((2, 2, 2)), r"linear takes shape \(2, 1, 1\)"),
    ],
)
def test_impossible_operators_are_refused(build: Callable[[], object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        build()
