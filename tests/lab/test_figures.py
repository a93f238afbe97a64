"""The figures of the book are what the recorded data gives, and lie where the axes say."""

import json

import pytest

from lab.drawing import Chart, page
from lab.figures import IMAGES, SEARCH, SPACE, ratios, search_steps, turns
from lab.recorded import load


def test_kept_figures_are_drawn_from_the_data() -> None:
    windows = load(SPACE)
    assert (IMAGES / "turns.svg").read_text(encoding="utf-8") == page([turns(windows)])
    assert (IMAGES / "ratios.svg").read_text(encoding="utf-8") == page(ratios(windows))
    search = json.loads(SEARCH.read_text(encoding="utf-8"))
    assert (IMAGES / "search-steps.svg").read_text(encoding="utf-8") == page(search_steps(search))


def test_a_mark_lies_where_its_values_are() -> None:
    chart = Chart("", "", "", (0, 10), (-1, 1), (), (), width=172, height=172)
    # 58 pixels to the left, 14 to the right, 30 above and 42 below: the frame has 100 x 100.
    assert chart.x(0) == 58
    assert chart.x(10) == 158
    assert chart.y(-1) == 130
    assert chart.y(1) == 30
    assert chart.y(0) == pytest.approx(80)
    chart.points([(5, 0)], radius=2)
    assert 'cx="108.0" cy="80.0"' in chart.marks[0]
