from collections.abc import Callable

import pytest

from shared.operators import BatchNorm2d, ChannelShuffle, Conv2d, GlobalAvgPool, Linear, ReLU


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


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: Conv2d(0, 1), "Conv2d in_channels must be at least 1, got 0"),
        (lambda: Conv2d(1, 1, kernel_size=2), "kernel_size must be odd, got 2"),
        (lambda: Conv2d(3, 4, groups=2), "groups=2 must divide in_channels=3"),
        (lambda: Conv2d(3, 4).output_shape((5, 1, 1)), "takes 3 channels, got 5"),
        (lambda: ChannelShuffle(2).output_shape((3, 1, 1)), "groups=2 must divide 3 channels"),
        (lambda: Linear(2, 2).output_shape((2, 2, 2)), r"linear takes shape \(2, 1, 1\)"),
    ],
)
def test_impossible_operators_are_refused(build: Callable[[], object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        build()
