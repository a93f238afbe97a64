"""A table for ten classes serves three: all cells stay what they are in microseconds, but for the head."""

import pytest

from search_server.latency.estimate.fit import fit_table
from search_server.latency.other_classes import is_alike_but_for_classes, with_classes
from shared.architecture import anchor_architecture, uniform_architecture
from shared.search_space import search_space
from tests.latency.measured_leases import CONDITIONS, COVERS, SPACE, results_of_lease

OTHER = search_space(f"{SPACE.name},classes=100" if ":" in SPACE.name else f"{SPACE.name}:classes=100")


def test_only_the_head_changes_and_by_the_rule() -> None:
    results = results_of_lease("a") + results_of_lease("b")
    table = fit_table(SPACE.name, "device", CONDITIONS, COVERS, "anchor", results, "2026-01-01T00:00:00Z")
    other = with_classes(table, OTHER)
    assert other is not None
    before, after = table.cells(), other.cells()
    for one, two in zip(before[:-1], after[:-1], strict=True):
        assert two.latency_us == pytest.approx(one.latency_us)
    # The head by hand: a 1x1 convolution on the last pixels, and a linear layer that counts 8 times.
    last = SPACE.layers[-1]
    size = -(-last.resolution // last.stride)
    convolution = last.out_channels * SPACE.head_channels * size * size
    cost = [convolution + 8 * SPACE.head_channels * classes for classes in (SPACE.num_classes, 100)]
    head_us, new_head_us = before[-1].latency_us, after[-1].latency_us
    assert head_us is not None
    assert new_head_us is not None
    assert new_head_us == pytest.approx(head_us * cost[1] / cost[0])
    # Half of the change is its standard error, and the anchor is slower by the change.
    assert after[-1].sigma_us is not None
    assert after[-1].sigma_us >= 0.5 * (new_head_us - head_us) * 0.999
    assert other.anchor_us == pytest.approx(table.anchor_us + new_head_us - head_us)
    assert other.predict_us(anchor_architecture(OTHER)) == pytest.approx(
        table.predict_us(anchor_architecture(SPACE)) + new_head_us - head_us, rel=1e-3
    )
    assert other.predict(uniform_architecture(OTHER, "k3_e1")).high_us is not None


def test_spaces_that_differ_elsewhere_share_no_table() -> None:
    assert is_alike_but_for_classes(search_space("fbnet-tiny"), search_space("fbnet-tiny:classes=3"))
    assert not is_alike_but_for_classes(search_space("fbnet-tiny"), search_space("fbnet-tiny:width=0.5"))
    assert not is_alike_but_for_classes(search_space("fbnet-tiny"), search_space("fbnet-cifar"))
