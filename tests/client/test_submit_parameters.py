"""The command line of a search is built from the options."""

from dataclasses import dataclass

import pytest
from typer.testing import CliRunner

from scripts.reference import PAGE, page
from search_server.client.cli import app
from search_server.client.submit_parameters import submit_parameters, without_older
from search_server.option_field import option
from search_server.search_options import SearchOptions

FLAGS = """
--device -d --space -s --data --classes --target-ms --combine --max-macs --max-params --preset
--loss --alpha --beta --latency-unit --latency-weight --paths --weights --epochs --warmup-epochs
--batch-size --step-images --training --train-epochs --mixed-precision --fp32 --recompute
--no-recompute --num-samples --seed --snapshot --baselines --no-baselines --file -f --watch --wait
--json --server --token-file --runtime --threads --dtype --batch --cores --thermal --weight-lr
--theta-lr --tau-start --theta --latency-of --shortlist --theta-share --most
"""


def test_the_promised_flags_exist() -> None:
    shown = CliRunner().invoke(app, ["search", "submit", "--help"], env={"COLUMNS": "250"}).stdout
    assert [flag for flag in FLAGS.split() if flag not in shown.replace(",", " ").split()] == []


@pytest.mark.parametrize("width", ["80", "120"])
def test_the_help_is_whole_at_the_width_of_a_terminal(width: str) -> None:
    shown = CliRunner().invoke(app, ["search", "submit", "--help"], env={"COLUMNS": width}).stdout
    assert "…" not in shown
    assert max(map(len, shown.splitlines())) <= int(width)


def test_a_field_is_all_that_a_new_option_takes() -> None:
    @dataclass(frozen=True, slots=True, kw_only=True)
    class WithToy(SearchOptions):
        toy_ms: float = option(2.5, "A toy.", unit="ms", above=0, at_most=9, group="Advanced")

    (toy,) = (each for each in submit_parameters(WithToy) if each.name == "toy_ms")
    (said,) = toy.annotation.__metadata__
    assert (toy.name, said.metavar, said.rich_help_panel) == ("toy_ms", "MS", "Advanced")
    assert said.help == "A toy. (0..9 (above 0); default 2.5)"
    assert (WithToy().toy_ms, WithToy(toy_ms=3).toy_ms) == (2.5, 3)
    with pytest.raises(ValueError, match=r"toy_ms must lie in 0\.\.9 \(above 0\), got 10"):
        WithToy(toy_ms=10)


def test_a_flag_of_earlier_days_still_says_the_same() -> None:
    given = {"theta_gradient": None, "theta_gradient_older": "straight_through", "epochs": 3}
    assert without_older(SearchOptions, given) == {"theta_gradient": "straight_through", "epochs": 3}
    given = {"theta_gradient": "effects", "theta_gradient_older": None}
    assert without_older(SearchOptions, given) == {"theta_gradient": "effects"}


def test_the_reference_page_is_what_the_fields_say() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "run: python -m scripts.reference"
