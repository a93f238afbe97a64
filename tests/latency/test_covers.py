import pytest

from search_server.latency.covers import cover_architectures, window_architectures
from shared.architecture import anchor_architecture
from shared.search_space import SPACE_NAMES, search_space


@pytest.mark.parametrize("name", SPACE_NAMES)
def test_each_layer_and_candidate_occurs_exactly_once(name: str) -> None:
    space = search_space(name)
    covers = cover_architectures(space, seed=1)
    pairs = [(layer, block) for cover in covers for layer, block in enumerate(cover.blocks)]
    assert len(pairs) == len(set(pairs)) == space.num_layers * len(space.candidates)


def test_the_seed_decides() -> None:
    space = search_space("fbnet-tiny")
    assert cover_architectures(space, seed=1) == cover_architectures(space, seed=1)
    assert cover_architectures(space, seed=1) != cover_architectures(space, seed=2)
    assert anchor_architecture(space).blocks == ("k3_e3",) * 13


def test_windows_draw_their_own_covers_and_take_families_in_turn() -> None:
    space = search_space("fbnet-tiny")
    windows = [window_architectures(space, window) for window in range(4)]
    covers = [cover for drawn, _ in windows for cover in drawn.values()]
    assert len(set(covers)) == len(covers) == 4 * len(space.candidates)
    families = [item_id for _, kin in windows for item_id in kin]
    assert sorted(families) == sorted(2 * [f"family_{b}" for b in space.candidates])
