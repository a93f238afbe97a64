import pytest

from shared.operators import Conv2d, ReLU
from shared.workload import IDENTITY_KEY, Segment, Workload, segment_key

CONV = Segment("a", (Conv2d(3, 4, 3), ReLU()))


def test_shapes_macs_and_params_add_up() -> None:
    workload = Workload(
        (3, 8, 8), (CONV, Segment("skip", ()), Segment("b", (Conv2d(4, 4),), residual=True))
    )
    assert workload.shapes() == ((3, 8, 8), (4, 8, 8), (4, 8, 8), (4, 8, 8))
    assert workload.macs == 64 * (4 * 27 + 16)
    assert workload.num_params == 4 * 27 + 16


def test_names_and_identities_do_not_change_a_latency_key() -> None:
    plain = Workload((3, 8, 8), (CONV,))
    renamed = Workload((3, 8, 8), (Segment("z", CONV.operators), Segment("nothing", ())))
    assert plain.key == renamed.key
    assert plain.key != Workload((3, 9, 8), (CONV,)).key


def test_a_segment_key_depends_on_operators_residual_and_shape() -> None:
    conv = Segment("a", (Conv2d(4, 4),))
    keys = {
        segment_key(conv, (4, 8, 8)),
        segment_key(conv, (4, 4, 4)),
        segment_key(Segment("a", conv.operators, residual=True), (4, 8, 8)),
    }
    assert len(keys) == 3
    assert segment_key(Segment("b", ()), (4, 8, 8)) == IDENTITY_KEY


def test_keys_stay_the_same_between_releases() -> None:
    """A changed key would orphan every stored measurement."""
    assert Workload((3, 8, 8), (CONV,)).key == "a5462cf4afbfcb1a"


def test_a_network_whose_shapes_do_not_fit_is_refused() -> None:
    with pytest.raises(ValueError, match="takes 3 channels, got 4"):
        Workload((3, 8, 8), (CONV, Segment("b", CONV.operators)))
    with pytest.raises(ValueError, match="repeated: a"):
        Workload((3, 8, 8), (CONV, CONV))
    with pytest.raises(ValueError, match="at least one segment"):
        Workload((3, 8, 8), (Segment("a", ()),))
    with pytest.raises(ValueError, match=r"residual but maps"):
        Workload((3, 8, 8), (Segment("a", CONV.operators, residual=True),))
    with pytest.raises(ValueError, match="letters, digits"):
        Segment("a/b", ())
