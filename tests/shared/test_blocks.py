"""The universal inverted bottleneck and what a block may have besides, counted by hand."""

import pytest

from shared.blocks import candidate_block
from shared.operators import BatchNorm2d, Conv2d, HSwish, ReLU, ReLU6, SqueezeExcite
from shared.search_space import search_space


@pytest.mark.parametrize(
    ("name", "macs", "params"),
    [
        # Depthwise 3x3 and 1x1 at 100 pixels, depthwise 5x5 of stride 2 and 1x1 at 25.
        (
            "d3_k5_e4",
            100 * (8 * 9 + 8 * 32) + 25 * (32 * 25 + 32 * 16),
            (8 * 9 + 8 * 32 + 32 * 25 + 32 * 16) + 2 * (8 + 32 + 32 + 16),
        ),
        # The stride lies in the first depthwise convolution.
        (
            "d5_e2",
            25 * (8 * 25 + 8 * 16 + 16 * 16),
            (8 * 25 + 8 * 16 + 16 * 16) + 2 * (8 + 16 + 16),
        ),
        # It lies in the expansion.
        ("e2", 25 * (8 * 16 + 16 * 16), (8 * 16 + 16 * 16) + 2 * (16 + 16)),
        # 20 channels inside are rounded to 24, a quarter of them to 8.
        (
            "k3_e2.5_se",
            100 * 8 * 24 + 25 * (24 * 9 + 24 * 16) + 2 * 24 * 8,
            (8 * 24 + 24 * 9 + 24 * 16) + 2 * (24 + 24 + 16) + 2 * 24 * 8 + 24 + 8,
        ),
        ("k3_sep_se", 25 * (8 * 9 + 8 * 16) + 2 * 8 * 8, (8 * 9 + 8 * 16) + 2 * (8 + 16) + 2 * 64 + 16),
    ],
)
def test_a_block_of_stride_2_by_hand(name: str, macs: int, params: int) -> None:
    """From 8 channels of 10x10 to 16 channels of 5x5."""
    segment = candidate_block(name).lower("block", 8, 16, 2)
    assert segment.output_shape((8, 10, 10)) == (16, 5, 5)
    assert (segment.macs((8, 10, 10)), segment.num_params) == (macs, params)
    assert not segment.residual
    assert candidate_block(name).lower("block", 16, 16, 1).residual


def test_the_order_of_a_block_is_that_of_the_papers() -> None:
    """MobileNetV4: no activation behind the first depthwise convolution; V3: the gate behind h-swish."""
    segment = candidate_block("d3_k3_e2_se_hs").lower("block", 8, 8, 1)
    assert [type(operator) for operator in segment.operators] == [
        *(Conv2d, BatchNorm2d),
        *(Conv2d, BatchNorm2d, HSwish),
        *(Conv2d, BatchNorm2d, HSwish),
        *(SqueezeExcite, Conv2d, BatchNorm2d),
    ]


def test_a_stage_gives_its_traits_to_every_block() -> None:
    space = search_space(
        "mine:resolution=8,classes=2,stem=8s1,stages=8x1s1_se_hs-16x1s2_r6,head=8,blocks=k3_e1-k3_e2_hs-skip"
    )
    both, relu6 = space.layers
    assert space.candidate(both, "k3_e1") == candidate_block("k3_e1_se_hs").lower("layer01", 8, 8, 1)
    assert space.candidate(relu6, "k3_e2_hs") == candidate_block("k3_e2_r6").lower("layer02", 8, 16, 2)
    kinds = [type(operator) for operator in space.candidate(relu6, "skip").operators]
    assert kinds == [Conv2d, BatchNorm2d, ReLU6]
    assert ReLU() in space.stem().operators


@pytest.mark.parametrize(
    "name",
    [
        "d3_k5_e4",
        "d5_e4",
        "e4",
        "k3_e2.5",
        "k3_e6_se_hs",
        "k3_sep_se",
        "k5_e4_g2_r6",
        "d7_k3_e1_g2_se",
        "e3_hs",
    ],
)
def test_a_name_is_that_of_its_block(name: str) -> None:
    assert candidate_block(name).name == name


@pytest.mark.parametrize(
    "name",
    [
        "k3_e6_hs_se",
        "d4_e3",
        "d3_sep",
        "d3",
        "k3_e2.0",
        "e4_relu",
        "skip_se",
        "d3_k5",
        "k0_e3",
        "e0",
        "k3_e7.5",
    ],
)
def test_other_names_are_refused(name: str) -> None:
    with pytest.raises(ValueError, match=r"unknown block .*k5_e6_se_hs"):
        candidate_block(name)
