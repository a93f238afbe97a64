"""What is expected of a table's entries before whole networks tell."""

import numpy as np
import pytest

from search_server.latency.estimate.assumptions import USUAL
from search_server.latency.estimate.correction_prior import correction_prior, log_scale_density
from shared.search_space import search_space
from shared.workload import segment_key
from tests.latency.measured_leases import SPACE, true_segment_us

KEYS = sorted(true_segment_us())


def keys_of(layer_index: int) -> dict[str, int]:
    """Return where a layer's candidates stand among the entries, by block."""
    layer = SPACE.layers[layer_index]
    keys = {
        block: segment_key(SPACE.candidate(layer, block), layer.input_shape) for block in SPACE.candidates
    }
    return {block: KEYS.index(key) for block, key in keys.items() if key in KEYS}


def test_the_first_layers_wide_blocks_are_off_alike_and_its_narrow_ones_apart() -> None:
    prior_EE = correction_prior(KEYS, SPACE, USUAL)
    first, last = keys_of(0), keys_of(-1)
    wide = prior_EE[first["k3_e3"], first["k5_e6"]]
    assert wide > 5 * prior_EE[first["k3_e1"], first["k5_e6"]]
    assert wide > 5 * prior_EE[last["k3_e3"], last["k5_e6"]]


def test_stem_and_head_may_be_off_furthest_and_by_themselves() -> None:
    prior_EE = correction_prior(KEYS, SPACE, USUAL)
    in_layers = {index for place in range(len(SPACE.layers)) for index in keys_of(place).values()}
    fixed = [index for index in range(len(KEYS)) if index not in in_layers]
    assert len(fixed) == 2
    variances_E = np.diag(prior_EE)
    assert min(variances_E[fixed]) > 2 * max(np.delete(variances_E, fixed))
    assert prior_EE[fixed[0], fixed[1]] == 0


@pytest.mark.parametrize("space", ["fbnet-224", "fbnet-cifar"])
def test_the_prior_is_a_covariance(space: str) -> None:
    layers = search_space(space).layers
    keys = {
        segment_key(search_space(space).candidate(layer, block), layer.input_shape)
        for layer in layers
        for block in search_space(space).candidates
    }
    prior_EE = correction_prior(sorted(keys), search_space(space), USUAL)
    assert np.array_equal(prior_EE, prior_EE.T)
    assert np.linalg.eigvalsh(prior_EE).min() > 0


def test_a_scale_of_one_is_most_probable() -> None:
    assert log_scale_density(1.0, 0.7) > max(log_scale_density(2.0, 0.7), log_scale_density(0.5, 0.7))
    assert log_scale_density(0.5, 0.7) == pytest.approx(log_scale_density(2.0, 0.7))
