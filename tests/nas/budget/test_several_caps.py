"""The projection under several caps is the nearest distribution: by its conditions, and by scipy.

The conditions of Karush, Kuhn and Tucker hold at one distribution alone, since relative entropy is
strictly convex: all caps are kept, and the logits differ from those before by a sum of the costs of the
caps that are used in full, none of them with a factor below 0.
"""

from collections.abc import Iterator, Sequence

import numpy as np
import pytest
from scipy.optimize import minimize, nnls

from search_server.nas.budget.caps import Cap, Matrix
from search_server.nas.budget.projection import project, softmax

NUM_CASES = 200


def cases(
    num_cases: int, num_layers: int, num_candidates: int, sizes: Sequence[float] = (0.5, 3.0, 30.0)
) -> Iterator[tuple[Matrix, list[Cap]]]:
    """Yield logits that break a cap, and two to four caps that some distribution keeps together."""
    generator = np.random.default_rng(0)
    while num_cases:
        shape = generator.integers(1, num_layers + 1), generator.integers(2, num_candidates + 1)
        logits_LK = generator.choice(sizes) * generator.normal(size=shape)
        common_LK = generator.gamma(2.0, 1.0, size=shape)
        # As tables of two devices are: alike, yet not the same.
        costs = [
            common_LK * np.exp(0.3 * generator.normal(size=shape)) for _ in range(generator.integers(2, 5))
        ]
        kept_LK = softmax(2 * generator.normal(size=shape))
        caps = [
            Cap(
                f"device {i}",
                "us",
                1.0,
                cost_LK,
                (1 + (kept_LK * cost_LK).sum()) * generator.uniform(1, 1.1),
            )
            for i, cost_LK in enumerate(costs)
        ]
        if any(cap.expected(softmax(logits_LK)) > cap.limit for cap in caps):
            num_cases -= 1
            yield logits_LK, caps


def centred(logits_LK: Matrix) -> Matrix:
    """Return the same choice with a mean of 0 in each layer."""
    centred_LK: Matrix = logits_LK - logits_LK.mean(1, keepdims=True)
    return centred_LK


def test_it_meets_the_conditions_of_the_nearest_distribution() -> None:
    for logits_LK, caps in cases(NUM_CASES, 22, 9):
        held_LK = project(logits_LK, caps)
        shares = np.array([cap.expected(softmax(held_LK)) / cap.limit for cap in caps])
        assert shares.max() == pytest.approx(1, abs=1e-6)  # one is used in full, and all are kept
        used = [cap for cap, share in zip(caps, shares, strict=True) if share > 1 - 1e-6]
        tilts = np.stack([centred(cap.cost_LK).ravel() for cap in used], axis=1)
        moved = centred(logits_LK - held_LK).ravel()
        _, remainder = nnls(tilts, moved)
        assert remainder <= 1e-6 * (1 + np.linalg.norm(moved))


def test_the_order_of_the_caps_makes_no_difference() -> None:
    for logits_LK, caps in cases(NUM_CASES, 22, 9):
        one_LK, other_LK = (softmax(project(logits_LK, order)) for order in (caps, caps[::-1]))
        np.testing.assert_allclose(one_LK, other_LK, atol=1e-7)


def test_scipy_finds_no_nearer_distribution() -> None:
    """Sequential quadratic programming over the probabilities themselves."""
    for logits_LK, caps in cases(25, 3, 4, sizes=(0.5, 1.5)):
        origin_LK = softmax(logits_LK)

        def distance(p_E: Matrix, origin_LK: Matrix = origin_LK) -> float:
            safe_E = np.maximum(p_E, 1e-12)
            return float((safe_E * np.log(safe_E / origin_LK.ravel())).sum())

        held_LK = softmax(project(logits_LK, caps))
        found = minimize(
            distance,
            np.full(origin_LK.size, 1 / origin_LK.shape[1]),
            bounds=[(0, 1)] * origin_LK.size,
            constraints=[
                {"type": "eq", "fun": lambda p_E, s=origin_LK.shape: p_E.reshape(s).sum(1) - 1},
                {
                    "type": "ineq",
                    "fun": lambda p_E, s=origin_LK.shape, c=caps: [
                        1 - cap.expected(p_E.reshape(s)) / cap.limit for cap in c
                    ],
                },
            ],
            options={"maxiter": 500, "ftol": 1e-10},
        )
        # It may give up on its last digits; that it came near is what the comparison says.
        assert distance(held_LK.ravel()) == pytest.approx(found.fun, abs=1e-4)


def test_caps_that_nothing_keeps_together_end_where_the_tilt_ends() -> None:
    """One wants the first candidate, the other the second: the projection ends, with numbers."""
    rows_LK = np.array([[1.0, 9.0]] * 3)
    caps = [Cap("a", "us", 0.0, rows_LK, 4.0), Cap("b", "us", 0.0, rows_LK[:, ::-1], 4.0)]
    held_LK = softmax(project(np.array([[0.1, -0.2]] * 3), caps))
    assert np.isfinite(held_LK).all()
