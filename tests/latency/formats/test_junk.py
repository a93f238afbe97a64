"""Whatever stands in a file: it becomes a table, or a ValueError says why not."""

import json
import tracemalloc
from contextlib import suppress
from typing import get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from search_server.latency.formats.reading import ImportedFile
from search_server.latency.formats.whole_networks import read_whole_networks
from search_server.latency.limits import require_bounded
from search_server.latency.plausibility import require_possible
from search_server.latency.stored.imports import read_table
from search_server.resources.formats import ImportFormat

OFA = "expanded_conv-input:16x16x32-output:16x16x32-expand:3-kernel:3-stride:1-idskip:1"
SEEDS: dict[str, bytes] = {
    "json": b'{"space":"fbnet-tiny","device_id":"d","conditions":{},"anchor_us":1.0,"entries":'
    b'{"00ff00ff00ff00ff":{"latency_units":1.0,"sigma_units":null,"num_samples":1}},"network_sigma":0.1,'
    b'"created_at":"2026-01-01T00:00:00Z","neighbours":{"layout_costs":[{"channel_block":8,'
    b'"latency_units":0.1}]}}',
    "csv": b"snapshot,space,layer,block,key,latency_us,sigma_us,num_samples,status,anchor_us,network_sigma,"
    b"verdict,is_simulated,source,conditions_json,neighbours_json\n"
    b's,fbnet-tiny,stem,,b9a05c2560afb0ca,2,,3,ok,9,0,accepted,False,x,"{}","{}"\n',
    "parquet": b"PAR1\x00\x00PAR1",
    "hw-nas-bench": b'{"ops":["skip"],"devices":{"pixel":{"const_all_skip_ms":1,"rel_to_skip_ms":[[1]]}}}',
    "ofa-yaml": f"{OFA}:\n  mean: 1.0\n  var: 4\n  count: 9\n".encode(),
    "mobile-vision-jsonl": b'{"op_type":"Conv","input_shapes":[[1,3,32,32],[16,3,3,3],[16]],'
    b'"op_args":["name: \\"stride\\"\\ni: 2\\n"],"runtime_us_p50":8.0,"device":"pixel"}',
    "plain-csv": b"layer,block,latency_ms\nstem,,0.5\nlayer01,k3_e1,0.25\n",
    "whole-network-csv": b"architecture,latency_ms,device\nskip,1,pixel\n",
}
FORMATS = [name for name in SEEDS if name in (*get_args(ImportFormat), "whole-network-csv")]

ODD_TEXTS = st.sampled_from(
    [
        *(text.encode() for text in ('"', ",", ";", "\n", "{", "{}", "null", "\\ud800", "\x00", "٣")),
        *(text.encode() for text in ("1_000", "nan", "1e999", "-1", "0", "9" * 5000, "[" * 2000)),
        *(text.encode() for text in ("&a [*a]", "*a", "<<: ", "- ", ": ", "# ")),
        b"\xff",
    ]
)


def read(import_format: str, content: bytes) -> None:
    file = ImportedFile(content, "pixel", "2026-01-01T00:00:00+00:00", "fbnet-tiny")
    if import_format == "whole-network-csv":
        read_whole_networks(file)
        return
    known: ImportFormat = next(name for name in get_args(ImportFormat) if name == import_format)
    table = read_table(known, file).table
    require_bounded(table)
    require_possible(table)
    table.to_json().encode()
    table.cells()


@pytest.mark.parametrize("import_format", FORMATS)
@settings(max_examples=150, deadline=None)
@given(
    content=st.binary(max_size=300)
    | st.text(st.characters(exclude_categories=["Cs"]), max_size=200).map(
        lambda text: text.encode("utf-8", "replace")
    )
)
def test_any_bytes_are_a_table_or_a_value_error(import_format: str, content: bytes) -> None:
    with suppress(ValueError):
        read(import_format, content)


@pytest.mark.parametrize("import_format", FORMATS)
@settings(max_examples=200, deadline=None)
@given(data=st.data())
def test_a_changed_file_is_a_table_or_a_value_error(import_format: str, data: st.DataObject) -> None:
    seed = SEEDS[import_format]
    start = data.draw(st.integers(0, len(seed)))
    stop = data.draw(st.integers(start, min(len(seed), start + 30)))
    with suppress(ValueError):
        read(import_format, seed[:start] + data.draw(ODD_TEXTS | st.just(b"")) + seed[stop:])


@pytest.mark.parametrize(
    "content",
    [b"[" * 100_000, b'{"a":' * 100_000, b"{" * 100_000, b'{"a": ' + b"9" * 10_000 + b"}", b"\xff\xfe"],
)
@pytest.mark.parametrize("import_format", FORMATS)
def test_endless_nesting_and_endless_numbers_are_refused(import_format: str, content: bytes) -> None:
    with pytest.raises(ValueError, match=r"\w") as refused:
        read(import_format, content)
    assert len(str(refused.value)) < 1000


def test_aliases_that_stand_for_a_huge_file_are_refused_before_they_are_written_out() -> None:
    """Nine names of nine references each: written out they are 9^9 scalars."""
    lines = ["a: &a [x,x,x,x,x,x,x,x,x]"]
    lines += [f"{b}: &{b} [{','.join([f'*{a}'] * 9)}]" for a, b in zip("abcdefgh", "bcdefghi", strict=True)]
    lines.append("block: {mean: *i}")
    tracemalloc.start()
    with pytest.raises(ValueError, match=r"\w") as refused:
        read("ofa-yaml", "\n".join(lines).encode())
    assert tracemalloc.get_traced_memory()[1] < 1_000_000
    tracemalloc.stop()
    assert len(str(refused.value)) < 200


def changed_json(**changes: object) -> bytes:
    document = json.loads(SEEDS["json"])
    return json.dumps({**document, **changes}).encode()


ENTRY = {"latency_units": 1.0, "sigma_units": 0.0, "num_samples": 1}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"source": "x" * 100_000}, "source must have at most 200 characters, got 100000"),
        ({"source": "\ud800"}, r"source must hold printable characters only, got '\\ud800'"),
        ({"created_at": "yesterday"}, "created_at must be a time with its zone .* got 'yesterday'"),
        ({"created_at": "2026-01-01T00:00:00"}, "created_at must be a time with its zone"),
        ({"network_sigma": -1}, r"network_sigma must lie in 0\.\.10, got -1"),
        ({"entries": {"0" * 16: {**ENTRY, "num_samples": 10**30}}}, r"num_samples must lie in 0\.\.1e\+09"),
        ({"entries": {"0" * 16: {**ENTRY, "num_samples": -1}}}, "num_samples must lie in 0"),
        ({"entries": {"0" * 16: {**ENTRY, "sigma_units": -0.5}}}, "sigma_us must lie in 0"),
        ({"entries": {"0" * 16: {**ENTRY, "sigma_units": 1e300}}}, "sigma_us must lie in 0"),
        ({"entries": {"0" * 16: {**ENTRY, "status": "\ud800"}}}, "status must hold printable"),
        ({"entries": {"\ud800": ENTRY}}, "key must be 16 hex digits"),
        ({"conditions": {"runtime_version": "\x00"}}, "runtime_version must hold printable"),
        (
            {"neighbours": {"layout_costs": [{"channel_block": 0, "latency_units": 0.1}]}},
            r"channel_block must lie in 1\.\.1024, got 0",
        ),
        ({"anchor_us": 1e300}, "anchor_us must lie above 0 and up to 3600 s"),
    ],
)
def test_what_would_break_a_list_is_refused_with_field_and_limit(
    changes: dict[str, object], message: str
) -> None:
    read("json", SEEDS["json"])
    with pytest.raises(ValueError, match=message):
        read("json", changed_json(**changes))


@pytest.mark.parametrize("number", [b"NaN", b"Infinity", b"-Infinity", b"1e999"])
def test_what_is_no_number_is_no_error_of_a_cell(number: bytes) -> None:
    with pytest.raises(ValueError, match=r"is no number of JSON|sigma_us must lie in 0"):
        read("json", SEEDS["json"].replace(b'"sigma_units":null', b'"sigma_units":' + number))
