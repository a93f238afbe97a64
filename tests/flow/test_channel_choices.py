"""A search over inner channels from the request to the file: its convolutions are as wide as was chosen."""

from pathlib import Path

import onnx
import pytest

from search_server.db.session import Database
from search_server.latency.stored.imports import import_table
from search_server.resources.searches import SearchCreate
from search_server.searches.searches import export_name
from search_server.store import Store
from shared.search_space import search_space
from tests.flow.shelf import FEW, NOW, run
from tests.search_server.tables import known_table

SPACE = search_space(
    "wide:resolution=16,classes=2,stem=8s2,stages=8x1s1_c8.16.40-16x2s2_c24.48.96,head=32,"
    "blocks=k3_c1-k3_c2-k3_c3-k5_c1-k5_c2-k5_c3"
)
INNER = ((8, 16, 40), (24, 48, 96), (24, 48, 96))


@pytest.mark.parametrize("paths", ["one", "soft", "none"])
def test_the_exported_network_has_the_channels_that_were_chosen(
    shelf: Database, tmp_path: Path, paths: str
) -> None:
    table = known_table("", SPACE.name)
    with shelf.transaction() as session:
        import_table(session, table.to_json().encode(), "json", "shelf", None, NOW)
    low_us, high_us = table.latency_range_us()
    target_ms = (low_us + high_us) / 2000
    changes = {**FEW, "target_ms": target_ms, "paths": paths}
    create = SearchCreate("shelf", SPACE.name, "digits", **changes)  # type: ignore[arg-type]
    search = run(shelf, tmp_path, create)
    assert search.result is not None
    assert search.result.predicted_us <= 1000 * target_ms
    content = Store.at(tmp_path).read(export_name(search.job.job_id, "onnx"))
    graph = onnx.load_from_string(content).graph
    shape_of = {weight.name: tuple(weight.dims) for weight in graph.initializer}
    shapes = [shape_of[node.input[1]] for node in graph.node if node.op_type == "Conv"]
    depthwise = [(shape[0], shape[2]) for shape in shapes if shape[1] == 1]
    blocks = search.result.architecture.split(",")
    assert depthwise == [
        (inner[int(block[-1]) - 1], int(block[1])) for block, inner in zip(blocks, INNER, strict=True)
    ]
