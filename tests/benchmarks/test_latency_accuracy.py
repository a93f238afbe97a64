"""What the accuracy of tables is made of, without timing anything."""

from typing import Any

import numpy as np
import pytest

from benchmarks.baselines import isolated_blocks, macs_line, scaled
from benchmarks.forms import Form
from benchmarks.latency_accuracy import accuracy, name_of, parsed_arguments, table_row
from benchmarks.plain_models import RUNTIME_DTYPES
from benchmarks.truth import Truth
from shared.architecture import uniform_architecture
from shared.protocol.device import Conditions
from shared.search_space import search_space
from shared.workload import IDENTITY_KEY
from tests.search_server.tables import known_table

SPACE = search_space("fbnet-tiny:width=0.25,resolution=16")


def test_figures_stand_under_the_name_of_their_runtime() -> None:
    names = {
        name_of(Conditions(name, dtype=dtype)) for name in RUNTIME_DTYPES for dtype in RUNTIME_DTYPES[name]
    }
    with_int8 = {"onnxruntime", "onnxruntime-int8", "litert", "litert-int8"}
    assert names == with_int8 | {"torch", "ncnn", "executorch"}


def test_onnxruntime_is_judged_unless_others_are_named() -> None:
    assert parsed_arguments([]).runtime == ["onnxruntime"]
    assert parsed_arguments(["--runtime", "torch", "--runtime", "ncnn"]).runtime == ["torch", "ncnn"]


def test_a_runtime_without_the_dtype_is_refused_before_anything_is_measured(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit):
        parsed_arguments(["--runtime", "litert", "--runtime", "torch", "--dtype", "int8"])
    assert "torch has no dtype int8; it has fp32" in capsys.readouterr().err


def test_accuracy_counts_errors() -> None:
    found: dict[str, Any] = accuracy(np.array([1.04, 2.16, 3.0, 4.8]), np.array([1.0, 2.0, 3.0, 4.0]))
    assert (found["within_5"], found["within_10"]) == (0.5, 0.75)
    assert found["mape"] == found["bias"] == pytest.approx((0.04 + 0.08 + 0.0 + 0.2) / 4)
    assert found["spearman"] == pytest.approx(1.0)


def test_the_noise_ceiling_is_the_first_half_of_the_truth_against_the_second() -> None:
    seconds_DN = np.array([[0.001, 0.002]] * 2)
    before = Truth(np.array([[1.01, 2.0], [1.03, 2.0]]), seconds_DN, page_faults_per_run=0.0)
    after = Truth(np.array([[0.99, 2.0], [1.01, 2.0]]), 3 * seconds_DN, page_faults_per_run=2.0)
    true = before.then(after)
    assert true.noise_ceiling_mape == pytest.approx(0.01)
    assert true.alternating_mape == pytest.approx(abs(1.0 / 1.02 - 1) / 2)
    np.testing.assert_allclose(true.units, [1.01, 2.0])
    np.testing.assert_allclose(true.latency_us, [2000.0, 4000.0])
    assert true.page_faults_per_run == 2.0


def test_baselines_are_fitted_on_the_test_networks() -> None:
    networks = [uniform_architecture(SPACE, block) for block in ("k3_e1", "k3_e3", "k3_e6")]
    true_units = np.array([2e-6 * network.workload().macs + 0.1 for network in networks])
    np.testing.assert_allclose(macs_line(networks, true_units), true_units)
    np.testing.assert_allclose(scaled(true_units / 7, true_units), true_units)


def test_isolated_blocks_hold_every_segment_of_every_network() -> None:
    blocks = isolated_blocks(SPACE)
    for block in SPACE.candidates[:-1]:
        keys = uniform_architecture(SPACE, block).workload().segment_keys()
        assert set(keys) - {IDENTITY_KEY} <= set(blocks)


def test_the_bias_of_milliseconds_holds_the_pace_of_the_machine_and_that_of_units_does_not() -> None:
    table = known_table("pixel")
    networks = tuple(uniform_architecture(table.search_space, block) for block in ("k3_e1", "k3_e6"))
    predicted_us = np.array([table.predict(network).latency_us for network in networks])
    true = Truth(
        units_DN=np.array([predicted_us / table.anchor_us * 1.25] * 2),
        seconds_DN=np.array([predicted_us / 1e6 * 2] * 2),
        page_faults_per_run=0.0,
    )
    row = table_row(table, Form("exported", range(2), networks, None, 4), true)
    assert row["bias"] == pytest.approx(-0.2)
    assert row["bias_ms"] == pytest.approx(-0.5)
    assert row["num_networks"] == 2
