"""Open sizes become shapes; the cases are worked out by hand."""

import pytest

from search_server.own_models.input_shapes import input_shapes
from search_server.resources.models import ModelTensor
from shared.protocol.measurement import ModelInput

IMAGES = ModelTensor("images", "float32", (None, 3, None, 32))
TOKENS = ModelTensor("tokens", "int64", (1, None))


def test_open_sizes_are_one_and_the_batch_in_front() -> None:
    assert input_shapes([IMAGES, TOKENS], [], 4) == (
        ModelInput("images", (4, 3, 1, 32)),
        ModelInput("tokens", (1, 1)),
    )


def test_a_shape_that_was_asked_for_stands() -> None:
    asked = [ModelInput("images", (2, 3, 64, 32))]
    assert input_shapes([IMAGES, TOKENS], asked, 1)[0] == asked[0]


@pytest.mark.parametrize(
    ("tensors", "asked", "batch", "message"),
    [
        ([IMAGES], [ModelInput("image", (1,))], 1, "inputs are images; a shape was asked for image"),
        ([IMAGES], [ModelInput("images", (1, 3, 64, 64))], 1, r"has the shape \?x3x\?x32"),
        ([IMAGES], [ModelInput("images", (1, 3, 64))], 1, r"asked for 1x3x64"),
        ([IMAGES], [ModelInput("images", (1, 3, 1 << 40, 32))], 1, "the most are|at most"),
        ([TOKENS], [], 2, "batch 2 needs an input whose first size is open"),
        ([TOKENS], [ModelInput("tokens", (1, 1)), ModelInput("tokens", (1, 2))], 1, "twice"),
    ],
)
def test_what_no_input_can_have_is_refused(
    tensors: list[ModelTensor], asked: list[ModelInput], batch: int, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        input_shapes(tensors, asked, batch)


def test_a_size_is_at_least_one() -> None:
    with pytest.raises(ValueError, match="must be at least 1"):
        ModelInput("images", (0, 3))
