"""Options of a search: presets, what wins over them, and what is refused with value and limit."""

import math
from typing import Any

import pytest

from search_server.search_options import PathsName, SearchOptions


def test_the_paper_s_temperature() -> None:
    paper = SearchOptions(preset="fbnet-paper")
    assert paper.tau(0) == 5
    assert paper.tau(80) == pytest.approx(0.137, abs=5e-4)


def test_what_is_given_wins_over_the_preset_even_where_it_is_the_default() -> None:
    given = SearchOptions(preset="fbnet-paper", epochs=20, theta_paths=None, weights="entangled")
    assert (given.epochs, given.theta_paths, given.weights) == (20, None, "entangled")
    assert (given.warmup_epochs, given.paths) == (10, "soft")


@pytest.mark.parametrize(("paths", "draws"), [("one", 8), ("two", 4), ("soft", 1)])
def test_a_theta_step_draws_fewer_where_a_draw_costs_more(paths: PathsName, draws: int) -> None:
    assert SearchOptions(paths=paths).num_theta_paths == draws


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"preset": "cheap"}, "preset must be one of small-budget, fbnet-paper, got 'cheap'"),
        ({"paths": "three"}, "paths must be one of soft, one, two, none, got 'three'"),
        ({"warmup_epochs": 20}, "warmup_epochs must lie in 0..19 (below epochs), got 20"),
        ({"epochs": 0}, "epochs must lie in 1..10000, got 0"),
        ({"step_images": None}, "step_images must lie in 2..8192, got None"),
        ({"theta_paths": 1}, "theta_paths must be at least 2, got 1"),
        ({"theta_paths": 0, "paths": "two"}, "theta_paths must be at least 1, got 0"),
        ({"theta_lr": 0.0}, "theta_lr must be above 0, got 0"),
        ({"alpha": math.inf}, "alpha must be above 0 and finite, got inf"),
        ({"beta": math.nan}, "beta must be at least 0 and finite, got nan"),
        ({"target_ms": -1.5}, "target_ms must be above 0, got -1.5"),
        ({"max_macs": 0}, "max_macs must be at least 1, got 0"),
    ],
)
def test_refusals_name_option_limit_and_value(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match="must") as caught:
        SearchOptions(**changes)
    assert str(caught.value).endswith(message)
