import pytest
import torch

from search_server.nas.data.data_sets import load_data
from search_server.nas.data.images import ImagesInMemory, ImageSource, split_images, with_theta_share


def numbered_images(sizes: list[int]) -> ImagesInMemory:
    """Images that show their own number, of classes of these sizes."""
    num = sum(sizes)
    images = torch.arange(num).view(num, 1, 1, 1).expand(num, 3, 2, 2).to(torch.uint8)
    labels = torch.repeat_interleave(torch.arange(len(sizes)), torch.tensor(sizes))
    return ImagesInMemory(images, labels, tuple(f"class{i}" for i in range(len(sizes))), 2, True)


def numbers(source: ImageSource) -> set[int]:
    return set(source.images(range(len(source.labels_N)))[:, 0, 0, 0].tolist())


@pytest.mark.parametrize("sizes", [[8, 9, 40], [100, 100]])
@pytest.mark.parametrize("has_test", [False, True])
def test_splits_are_disjoint_complete_and_see_every_class(sizes: list[int], has_test: bool) -> None:
    source = numbered_images(sizes)
    own_test = numbered_images([3] * len(sizes)) if has_test else None
    data = split_images(source, own_test, seed=1)
    parts = [data.weights, data.theta, data.validation]
    if has_test:
        assert data.test is own_test
    else:
        parts.append(data.test)
    sets = []
    for part in parts:
        assert isinstance(part, ImagesInMemory)
        assert set(part.labels_N.tolist()) == set(range(len(sizes)))
        sets.append(numbers(part))
    assert sum(map(len, sets)) == len(set.union(*sets)) == sum(sizes)
    assert isinstance(data.training, ImagesInMemory)
    assert numbers(data.training) == sets[0] | sets[1]


def test_the_seed_decides_the_splits() -> None:
    source = numbered_images([50, 50])
    parts = [split_images(source, None, seed).theta for seed in (0, 0, 1)]
    assert all(isinstance(part, ImagesInMemory) for part in parts)
    drawn = [numbers(part) for part in parts if isinstance(part, ImagesInMemory)]
    assert drawn[0] == drawn[1] != drawn[2]


def test_a_class_with_too_few_images_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match="class 'class1' has 7 images; at least 8 are needed"):
        split_images(numbered_images([20, 7]), None, seed=0)


def test_digits_fit_a_space_of_ten_classes() -> None:
    data = load_data("digits", 16)
    assert data.weights.images([0, 1]).shape == (2, 3, 16, 16)
    total = sum(len(part.labels_N) for part in (data.weights, data.theta, data.validation, data.test))
    assert total == 1797
    assert not data.weights.mirrors
    data.require_fit(10, "fbnet-tiny")
    with pytest.raises(ValueError, match="override it with 'classes=10'"):
        data.require_fit(1000, "fbnet-224")


def test_theta_gets_the_asked_share_of_each_class_of_the_training_images() -> None:
    """Of 50 and 100 images 68 % train: a fifth of 34 is 7, and of 68 it is 14."""
    data = split_images(numbered_images([50, 100]), None, seed=1)
    shared = with_theta_share(data, 0.2, seed=2)
    assert torch.bincount(data.training.labels_N).tolist() == [34, 68]
    assert torch.bincount(shared.theta.labels_N).tolist() == [7, 14]
    assert numbers(shared.theta) | numbers(shared.weights) == numbers(data.training)
    assert not numbers(shared.theta) & numbers(shared.weights)
    assert shared.validation is data.validation
