from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.utils.data import DataLoader, TensorDataset

from search_server.nas.checkpoint import (
    CheckpointMismatchError,
    load_checkpoint,
    save_checkpoint,
    state,
)
from search_server.nas.data.batches import normalise
from search_server.nas.data.data_sets import load_data
from search_server.nas.search import SearchRun, search
from search_server.search_options import PathsName, SearchOptions
from tests.nas.small_search import MIDDLE_MS, SPACE, TABLE, run_epochs, small_search

OPTIONS = SearchOptions(target_ms=MIDDLE_MS, epochs=4, warmup_epochs=1, theta_paths=2)


def assert_same_bits(one: Any, other: Any) -> None:
    assert type(one) is type(other)
    if isinstance(one, torch.Tensor):
        assert torch.equal(one, other)
    elif isinstance(one, dict):
        assert one.keys() == other.keys()
        for key in one:
            assert_same_bits(one[key], other[key])
    elif isinstance(one, list | tuple):
        assert len(one) == len(other)
        for first, second in zip(one, other, strict=True):
            assert_same_bits(first, second)
    else:
        assert one == other


def assert_resumes_to_the_same_bits(
    new_run: Callable[[], SearchRun], folder: Path
) -> tuple[SearchRun, SearchRun]:
    """Run a search at once, and again with a break in the middle; return the second and the first."""
    whole, interrupted, resumed = new_run(), new_run(), new_run()
    list(whole)
    run_epochs(interrupted, interrupted.options.epochs // 2)
    save_checkpoint(interrupted, folder / "search.pt")
    load_checkpoint(resumed, folder / "search.pt")
    assert list(resumed)
    assert_same_bits(state(resumed), state(whole))
    return resumed, whole


@pytest.mark.parametrize("paths", ["one", "two"])
def test_an_interrupted_search_ends_with_the_same_bits(paths: PathsName, tmp_path: Path) -> None:
    options = replace(OPTIONS, paths=paths)
    resumed, whole = assert_resumes_to_the_same_bits(lambda: small_search(options), tmp_path)
    assert resumed.architecture() == whole.architecture()
    assert [path.name for path in tmp_path.iterdir()] == ["search.pt"]


def test_a_plain_data_loader_is_resumed_by_torch_s_own_generator(tmp_path: Path) -> None:
    source = load_data("digits", SPACE.resolution).weights.select(range(64))
    images_NCHW = normalise(source.images(range(64)))
    loader = DataLoader(TensorDataset(images_NCHW, source.labels_N), batch_size=32, shuffle=True)

    def new_run() -> SearchRun:
        return search(SPACE, TABLE, loader, loader, replace(OPTIONS, epochs=2))

    torch.manual_seed(5)
    whole = new_run()
    run_epochs(whole, 1)
    save_checkpoint(whole, tmp_path / "search.pt")
    run_epochs(whole, 1)
    torch.manual_seed(6)
    resumed = new_run()
    load_checkpoint(resumed, tmp_path / "search.pt")
    run_epochs(resumed, 1)
    assert_same_bits(state(resumed), state(whole))


def test_a_checkpoint_of_another_search_is_refused_by_name(tmp_path: Path) -> None:
    save_checkpoint(small_search(OPTIONS), tmp_path / "search.pt")
    for other, difference in (
        (small_search(replace(OPTIONS, seed=7, weight_lr=0.05)), r"options \(seed, weight_lr\) differ"),
        (small_search(OPTIONS, replace(TABLE, overhead_us=6.5)), "table differ"),
    ):
        with pytest.raises(CheckpointMismatchError, match=difference):
            load_checkpoint(other, tmp_path / "search.pt")
