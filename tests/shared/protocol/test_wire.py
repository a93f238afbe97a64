import json
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.architecture import random_architecture
from shared.protocol.device import Conditions, Environment
from shared.protocol.measurement import (
    Artifact,
    Lease,
    LeaseItem,
    NodeSamples,
    Policy,
    Result,
    RunSamples,
)
from shared.protocol.wire import WireError, from_dict, from_json, to_dict, to_json
from shared.search_space import search_space


def a_lease(seed: int = 0) -> Lease:
    workload = random_architecture(search_space("fbnet-tiny"), random.Random(seed)).workload()
    item = LeaseItem("net", workload, Artifact("a" * 64, 10), is_anchor=True)
    return Lease("lease", 1, "device", (item,), Conditions(cores=(0, 1)), Policy(), ttl_s=30.0)


@given(st.integers(0, 10_000))
def test_a_lease_survives_the_wire(seed: int) -> None:
    assert from_json(to_json(a_lease(seed)), Lease) == a_lease(seed)


@given(st.lists(st.floats(0, 1e9), max_size=5).map(tuple), st.none() | st.floats(-50, 150))
def test_a_result_survives_the_wire(walls: tuple[float, ...], temperature_c: float | None) -> None:
    result = Result(
        "lease",
        2,
        "net",
        "ok",
        runs=RunSamples(start_us=walls, wall_us=walls),
        nodes=(NodeSamples("stem/0/conv2d", "stem", "Conv", walls),),
        environment_before=Environment(temperature_c=temperature_c),
    )
    assert from_json(to_json(result), Result) == result


def test_every_fault_is_named_with_its_path() -> None:
    document = to_dict(a_lease())
    document["items"][0]["workload"]["segments"][0]["operators"][0]["groups"] = 5
    document["policy"]["window_s"] = "long"
    document["fence"] = 1.5
    del document["ttl_s"]
    with pytest.raises(WireError) as caught:
        from_dict(document, Lease)
    text = str(caught.value)
    assert "groups=5 must divide in_channels=3" in text
    assert "$.items[0].workload.segments[0].operators[0]" in text
    assert "must be a number, got 'long' @ $.policy.window_s" in text
    assert "must be a whole number, got 1.5 @ $.fence" in text
    assert "$.ttl_s" in text


@pytest.mark.parametrize("text", ["", "{", "[]", "null", "7", '{"items": 3}', '"x"'])
def test_what_is_no_lease_is_refused(text: str) -> None:
    with pytest.raises(WireError, match="not a valid Lease"):
        from_json(text, Lease)


def test_an_operator_outside_the_closed_set_is_refused() -> None:
    document = json.loads(to_json(a_lease()))
    document["items"][0]["workload"]["segments"][0]["operators"][0]["kind"] = "python"
    with pytest.raises(WireError, match="'python'"):
        from_dict(document, Lease)


def test_fields_of_a_newer_protocol_are_ignored() -> None:
    document = to_dict(a_lease()) | {"novelty": 1}
    assert from_dict(document, Lease) == a_lease()


def test_conditions_are_an_identity() -> None:
    assert Conditions().key == Conditions(runtime_version="1.2").key
    assert Conditions().key != Conditions(threads=2).key
    with pytest.raises(ValueError, match=r"runtime must be a name .* agents measure with onnxruntime"):
        Conditions(runtime="Caffe 2")
    with pytest.raises(ValueError, match=r"accelerator must be a label of 1 to 60 letters"):
        Conditions(accelerator="\n")


def test_conditions_without_an_accelerator_keep_the_keys_that_stored_tables_have() -> None:
    """Computed before conditions had an accelerator."""
    assert Conditions().key == "c5660ffc5896"
    assert Conditions("litert", 4, "int8").key == "c9256c5ffb9d"
    assert Conditions(accelerator="Adreno 640").key != Conditions().key
