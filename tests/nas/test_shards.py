"""Shards: which part of a step is whose, and what a search of several is."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from search_server.nas.checkpoint import CheckpointMismatchError, load_checkpoint, save_checkpoint
from search_server.nas.data.batches import (
    Batches,
    equal_part,
    num_pairs,
    paired_part,
    sharded_batches,
    training_batches,
)
from search_server.nas.data.images import DataSplits, ImagesInMemory
from search_server.nas.search import SearchRun, search
from search_server.nas.shards import Shards
from search_server.search_options import SearchOptions, ThetaGradientName
from tests.nas.small_search import MIDDLE_MS, NUM_LAYERS, SPACE, TABLE, digits, run_epochs, small_search
from tests.nas.test_checkpoint import assert_same_bits

OPTIONS = SearchOptions(target_ms=MIDDLE_MS, epochs=2, warmup_epochs=1, theta_paths=2)


def few() -> DataSplits:
    data = digits()
    return replace(data, weights=data.weights.select(range(48)), theta=data.theta.select(range(32)))


def sharded_run(options: SearchOptions, shards: Shards) -> SearchRun:
    batches = sharded_batches(few(), 16, 0, shards)
    return search(SPACE, TABLE, *batches, options, shards=shards)


@pytest.mark.parametrize(("number", "world_size"), [(1, 1), (2, 2), (5, 2), (7, 3)])
def test_every_shard_is_computed_once(number: int, world_size: int) -> None:
    own = [shard for rank in range(world_size) for shard in Shards(number, rank, world_size).own]
    assert sorted(own) == list(range(number))


def test_more_processes_than_shards_are_refused() -> None:
    with pytest.raises(ValueError, match="occupies at most 2 processes, got 3"):
        Shards(2, 0, 3)


def test_no_two_shards_draw_alike() -> None:
    shards = Shards(3)
    draws = [
        tuple(torch.rand(4, generator=shards.generator(seed, step, shard)).tolist())
        for seed in range(3)
        for step in range(20)
        for shard in range(3)
    ]
    assert len(set(draws)) == len(draws)
    assert tuple(torch.rand(4, generator=shards.generator(2, 19, 2)).tolist()) == draws[-1]


def test_shards_share_out_the_images_of_a_batch() -> None:
    """Of 50 images in batches of 17, three shards see 5 each: two of 17 are left over, and 5 at the end."""
    source = digits().weights.select(range(50))
    assert isinstance(source, ImagesInMemory)
    numbered = replace(source, labels_N=torch.arange(50))
    whole = [labels_N for _, labels_N in Batches(numbered, 15, seed=4)]
    parts = [list(equal_part(numbered, 17, 4, shard, 3)) for shard in range(3)]
    assert [len(part) for part in parts] == [3, 3, 3]
    for index, labels_N in enumerate(whole):
        assert torch.equal(torch.cat([part[index][1] for part in parts]), labels_N)
        assert {len(part[index][1]) for part in parts} == {5}


def test_a_batch_with_fewer_images_than_shards_is_refused() -> None:
    with pytest.raises(ValueError, match="4 images has no part for each of 5 shards"):
        equal_part(digits().weights, 4, 0, 0, 5)


@pytest.mark.parametrize(("batch_size", "num_parts"), [(10, 2), (11, 2), (12, 5), (4, 2)])
def test_paired_parts_are_the_whole_batch_with_the_same_augmentation(
    batch_size: int, num_parts: int
) -> None:
    source = digits().weights.select(range(30))
    parts = [paired_part(source, batch_size, 4, part, num_parts) for part in range(num_parts)]
    whole = list(training_batches(source, batch_size, 4))
    assert len(whole) == 30 // batch_size
    for (images, labels), *own in zip(whole, *parts, strict=True):
        together = torch.zeros_like(images)
        taken = torch.zeros(batch_size, dtype=torch.int64)
        for part, (own_images, own_labels) in zip(parts, own, strict=True):
            is_own = part.is_own_N
            assert is_own is not None
            assert torch.equal(is_own, is_own.flip(0)), "an image is without its opposite"
            assert torch.equal(own_labels, labels[is_own])
            together[is_own] = own_images
            taken += is_own
        assert torch.equal(together, images)
        assert taken.tolist() == [1] * batch_size
        sizes = [len(own_labels) for _, own_labels in own]
        assert max(sizes) - min(sizes) <= 2


def test_more_processes_than_pairs_are_refused() -> None:
    source = digits().weights.select(range(9))
    assert num_pairs(source, 32) == 4
    with pytest.raises(ValueError, match="7 images has no pair for each of 4 processes"):
        paired_part(source, 7, 0, 0, 4)


def test_two_shards_with_equal_images_and_paths_make_the_step_of_one() -> None:
    """The mean of two equal gradients is either of them."""
    one, two = small_search(OPTIONS), sharded_run(OPTIONS, Shards(2))
    batch = next(iter(one.weight_batches))
    paths = one._weight_paths(1.0, one.generator)
    one.weights.step(batch, paths, 0.0)
    two.weights.step_shards([(batch, paths)] * 2, 0.0)
    before = small_search(OPTIONS).supernet
    moved = [(a - b).norm() for a, b in zip(one.supernet.parameters(), before.parameters(), strict=True)]
    assert max(moved) > 0
    for alone, both in zip(one.supernet.parameters(), two.supernet.parameters(), strict=True):
        torch.testing.assert_close(both, alone, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("gradient", ["effects", "straight_through", "leave_one_out"])
def test_an_interrupted_search_of_two_shards_ends_with_the_same_bits(
    gradient: ThetaGradientName, tmp_path: Path
) -> None:
    options = replace(OPTIONS, theta_gradient=gradient)
    whole, begun, resumed = (sharded_run(options, Shards(2)) for _ in range(3))
    facts = list(whole)
    assert [each.step for each in facts] == [3, 8]  # 48 and 32 images, 8 a shard
    run_epochs(begun, 1)
    save_checkpoint(begun, tmp_path / "search.pt")
    load_checkpoint(resumed, tmp_path / "search.pt")
    list(resumed)
    assert_same_bits(resumed.supernet.state_dict(), whole.supernet.state_dict())
    assert_same_bits(resumed.theta.effects.state_dict(), whole.theta.effects.state_dict())


@pytest.mark.parametrize("gradient", ["effects", "leave_one_out"])
def test_effects_learn_from_the_draws_of_all_shards(gradient: ThetaGradientName) -> None:
    """Two draws tell at most 1 a layer: +1/2 and -1/2, squared, of the two candidates where they differ."""
    run = sharded_run(replace(OPTIONS, theta_gradient=gradient), Shards(2))
    batches = iter(run.theta_batches)
    run.theta.step_shards(
        [(next(batches), torch.Generator().manual_seed(seed)) for seed in (0, 1)], 1.0, 1.0
    )
    told = float(run.theta.effects.state_dict()["gram"].trace())
    assert NUM_LAYERS < told <= 2 * NUM_LAYERS


def test_a_checkpoint_of_two_shards_is_not_taken_for_one_of_one(tmp_path: Path) -> None:
    save_checkpoint(sharded_run(OPTIONS, Shards(2)), tmp_path / "search.pt")
    with pytest.raises(CheckpointMismatchError, match="steps of 2 shards, the search has 1"):
        load_checkpoint(small_search(OPTIONS), tmp_path / "search.pt")
