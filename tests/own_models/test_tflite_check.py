"""What is read of a TensorFlow Lite file, against the official schema's own generated code."""

import random
from types import SimpleNamespace
from typing import Any

import flatbuffers
import pytest

from search_server.model_files.flat_reading import FlatBufferError, read_flat
from search_server.model_files.flat_tables import Schema, Table, flat_bytes
from search_server.model_files.tflite_model import tflite_bytes
from search_server.own_models.tflite_check import tflite_facts
from search_server.own_models.tflite_operators import BUILTIN_OPERATORS
from tests.model_files.networks import WORKLOAD

official = pytest.importorskip("ai_edge_litert.schema_py_generated")
FILE = tflite_bytes(WORKLOAD, None, 1, "fp32")


def changed(change: Any, content: bytes = FILE) -> bytes:
    """Return the file as the official code writes it after a change."""
    model = official.ModelT.InitFromObj(official.Model.GetRootAs(bytearray(content), 0))
    change(model)
    builder = flatbuffers.Builder(1 << 14)
    builder.Finish(model.Pack(builder), file_identifier=b"TFL3")
    return bytes(builder.Output()) + bytes(len(content))  # its zeros lie behind the tables


def test_what_a_file_says_of_itself() -> None:
    model = official.ModelT.InitFromObj(official.Model.GetRootAs(bytearray(FILE), 0))
    facts = tflite_facts(FILE)
    assert facts.num_nodes == sum(len(graph.operators) for graph in model.subgraphs)
    assert facts.inputs[0].shape == tuple(model.subgraphs[0].tensors[0].shape)
    assert (facts.inputs[0].dtype, facts.dtype) == ("float32", "fp32")
    assert tflite_facts(tflite_bytes(WORKLOAD, None, 1, "int8")).dtype == "int8"


def test_operators_have_the_numbers_of_the_official_schema() -> None:
    numbers = {name: number for name, number in vars(official.BuiltinOperator).items() if name.isupper()}
    assert {name: BUILTIN_OPERATORS.index(name) for name in BUILTIN_OPERATORS} == numbers


def test_sizes_that_are_left_open_are_told() -> None:
    def open_batch(model: SimpleNamespace) -> None:
        tensor = model.subgraphs[0].tensors[0]
        tensor.shapeSignature = [-1, *list(tensor.shape)[1:]]

    assert tflite_facts(changed(open_batch)).inputs[0].shape[0] is None


def test_a_custom_operator_is_refused() -> None:
    def make_custom(model: SimpleNamespace) -> None:
        code = model.operatorCodes[0]
        code.deprecatedBuiltinCode = code.builtinCode = 32
        code.customCode = "FlexErf"

    with pytest.raises(ValueError, match="custom operator 'FlexErf'"):
        tflite_facts(changed(make_custom))


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("operators[0].opcodeIndex", "number that the model does not list"),
        ("tensors[1].buffer", "a buffer that is not there"),
        ("operators[0].outputs[0]", "a tensor that is not there"),
    ],
)
def test_indices_that_point_nowhere_are_refused(path: str, message: str) -> None:
    def point_away(model: SimpleNamespace) -> None:
        exec(f"graph.{path} = 99999", {"graph": model.subgraphs[0]})

    with pytest.raises(ValueError, match=message):
        tflite_facts(changed(point_away))


def test_a_buffer_behind_the_end_is_refused() -> None:
    def move(model: SimpleNamespace) -> None:
        model.buffers[1].data, model.buffers[1].offset, model.buffers[1].size = None, 1 << 40, 8

    with pytest.raises(ValueError, match="ends outside the file"):
        tflite_facts(changed(move))


def test_damaged_files_are_read_or_refused_but_nothing_else() -> None:
    generator = random.Random(0)
    num_refused = 0
    for _ in range(300):
        damaged = bytearray(FILE[: generator.randrange(8, len(FILE))] if generator.random() < 0.3 else FILE)
        for _ in range(generator.randrange(1, 8)):
            damaged[generator.randrange(min(len(damaged), 4000))] = generator.randrange(256)
        try:
            tflite_facts(bytes(damaged))
        except ValueError:
            num_refused += 1
    assert num_refused > 100


@pytest.mark.parametrize(
    "content", [b"", b"TFL3", b"\0\0\0\0TFL3", FILE[:200], b"\xff\xff\xff\xffTFL3" * 9]
)
def test_other_files_are_refused(content: bytes) -> None:
    with pytest.raises(ValueError, match=r"no TensorFlow Lite model|schema version"):
        tflite_facts(content)


def test_what_was_written_is_read_again() -> None:
    schema = Schema.of(
        Root="count:Uint32 sizes:[Int64] name:text children:[Child] one:Child", Child="v:Float32"
    )
    children = [Table("Child", {"v": 1.5}), Table("Child", {"v": 2.5})]
    fields = {"count": 7, "sizes": [1 << 40, 2], "name": "stem", "children": children, "one": children[0]}
    found = read_flat(schema, "Root", flat_bytes(schema, Table("Root", fields), b"TEST"), b"TEST")
    assert found.pop("sizes").tolist() == [1 << 40, 2]
    assert found == {"count": 7, "name": "stem", "children": [{"v": 1.5}, {"v": 2.5}], "one": {"v": 1.5}}


def test_a_table_within_itself_ends() -> None:
    schema = Schema.of(Root="one:Root")
    content = bytearray(flat_bytes(schema, Table("Root", {"one": Table("Root", {})}), b"TEST"))
    root = int.from_bytes(content[:4], "little")
    content[root + 4 : root + 8] = (2**32 - 4).to_bytes(4, "little")  # an offset is never negative
    with pytest.raises(FlatBufferError):
        read_flat(schema, "Root", bytes(content), b"TEST")
