import pytest
import torch

from search_server.nas.data.batches import Augmentation, Batches, evaluation_batches, training_batches
from search_server.nas.data.data_sets import load_data
from search_server.nas.data.images import ImagesInMemory
from tests.nas.small_search import SPACE, generator

DIGITS = load_data("digits", SPACE.resolution).weights.select(range(70))


def epoch_of(batches: Batches) -> list[torch.Tensor]:
    return [tensor for batch in batches for tensor in batch]


def test_an_epoch_depends_on_seed_and_number_alone() -> None:
    first, second = training_batches(DIGITS, 32, seed=1), training_batches(DIGITS, 32, seed=1)
    epochs = [epoch_of(first) for _ in range(3)]
    again = [epoch_of(second) for _ in range(3)]
    for one, other in zip(epochs, again, strict=True):
        assert all(torch.equal(a, b) for a, b in zip(one, other, strict=True))
    assert not torch.equal(epochs[0][0], epochs[1][0])
    assert not torch.equal(epoch_of(training_batches(DIGITS, 32, seed=2))[0], epochs[0][0])
    resumed = training_batches(DIGITS, 32, seed=1)
    resumed.load_state_dict({"epoch": 2})
    assert all(torch.equal(a, b) for a, b in zip(epoch_of(resumed), epochs[2], strict=True))
    assert resumed.state_dict() == first.state_dict() == {"epoch": 3}


def test_random_order_drops_the_small_rest_and_fixed_order_keeps_all() -> None:
    batches = training_batches(DIGITS, 32, seed=1)
    assert len(batches) == 2
    assert [len(labels) for _, labels in batches] == [32, 32]
    kept = evaluation_batches(DIGITS, 32)
    assert len(kept) == 3
    assert torch.equal(torch.cat([labels for _, labels in kept]), DIGITS.labels_N)


def test_images_are_float_around_zero_in_the_space_s_size() -> None:
    images, labels = next(iter(evaluation_batches(DIGITS, 64)))
    assert images.shape == (64, *SPACE.input_shape)
    assert images.dtype == torch.float32
    assert labels.dtype == torch.int64
    assert float(images.min()) == pytest.approx(-0.45 / 0.25)
    assert float(images.max()) <= 0.55 / 0.25 + 1e-6


def test_augmentation_shifts_each_image_by_its_own_draw() -> None:
    images = torch.zeros(40, 3, 16, 16, dtype=torch.uint8)
    images[:, :, 8, 8] = 200
    shifted = Augmentation(shift=0.125)(images, generator(4))
    places = {tuple(image[0].nonzero()[0].tolist()) for image in shifted}
    assert len(places) > 10
    assert all(6 <= row <= 10 and 6 <= column <= 10 for row, column in places)
    assert torch.equal(shifted.sum((1, 2, 3)), torch.full((40,), 600))
    mirrored = Augmentation(shift=0, mirror=True)(images, generator(4))
    assert {int(image[0].nonzero()[0, 1]) for image in mirrored} == {7, 8}


def test_no_images_are_refused() -> None:
    empty = ImagesInMemory(
        torch.zeros(0, 3, 8, 8, dtype=torch.uint8), torch.zeros(0, dtype=torch.int64), ("a",), 8, False
    )
    with pytest.raises(ValueError, match="no images"):
        training_batches(empty, 32, seed=0)
