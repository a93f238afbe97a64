"""The planted changes of the gate's demonstration, and how its figures are counted."""

import onnxruntime
import pytest

from benchmarks.gate_demo import CHANNELS, NUM_LAYERS, SIZE, chain, planted, summary
from search_server.own_models.onnx_check import onnx_facts

np = pytest.importorskip("numpy")


def test_forty_changes_of_all_sizes() -> None:
    percents = planted(40, seed=0)
    assert sorted(percents) == [0] * 12 + [1] * 4 + [2] * 12 + [5] * 12
    assert percents != sorted(percents)


def test_a_planted_change_is_so_many_percent_more_of_the_same_work() -> None:
    assert [onnx_facts(chain(NUM_LAYERS + p).content).num_nodes for p in (0, 1, 2, 5)] == [
        100,
        101,
        102,
        105,
    ]
    session = onnxruntime.InferenceSession(chain(4).content, providers=["CPUExecutionProvider"])
    images = np.random.default_rng(0).random((1, CHANNELS, SIZE, SIZE), dtype=np.float32)
    (answer,) = session.run(None, {"x": images})
    assert np.array_equal(answer, images)  # numbers neither grow nor become denormal on the way


def test_figures_are_counted() -> None:
    rows = [
        {"planted_percent": 0, "outcome": "passed", "num_windows": 6, "plain_ratio": 1.02},
        {"planted_percent": 0, "outcome": "slower", "num_windows": 6, "plain_ratio": 0.98},
        {"planted_percent": 1, "outcome": "undecided", "num_windows": 18},
        {"planted_percent": 2, "outcome": "slower", "num_windows": 9, "window_sd": 0.01},
        {"planted_percent": 5, "outcome": "slower", "num_windows": 6, "window_sd": 0.02},
    ]
    figures = summary(rows)
    assert figures["false_alarms"] == pytest.approx(1 / 3)
    assert (figures["found_2_percent"], figures["found_5_percent"]) == (1, 1)
    assert figures["undecided"] == {0: 0, 1: 1, 2: 0, 5: 0}
    assert figures["mean_windows"] == 9
    assert figures["plain_sd"] == pytest.approx(0.02829, abs=1e-4)  # of log 1.02 and log 0.98
    assert figures["plain_windows_needed"] == 35  # 2 * (2.927 * 0.02829 / 0.02) ** 2 = 34.3
