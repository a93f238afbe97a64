"""Is a TensorFlow Lite file fit to be sent to devices? Its structure is read; nothing is run.

Refused are custom operators, which no runtime brings along, and files whose tables, buffers or indices
point outside.
"""

import math
from collections import Counter
from typing import Any

from search_server.model_files.flat_reading import FlatBufferError, read_flat
from search_server.model_files.tflite_file import IDENTIFIER, SCHEMA, SCHEMA_VERSION
from search_server.own_models.limits import MAX_NODES, counted
from search_server.own_models.tflite_operators import BUILTIN_OPERATORS, CUSTOM
from search_server.resources.models import ModelFacts, ModelTensor

_TYPE_NAMES = (
    "float32 float16 int32 uint8 int64 string bool int16 complex64 int8 float64 complex128 uint64 resource "
    "variant uint32 uint16 int4 bfloat16"
)
_TYPES = tuple(_TYPE_NAMES.split())
_FED = ("float32", "float16", "int32", "uint8", "int64", "bool", "int16", "int8", "float64", "uint32")
"""Types that a model's inputs may have."""


def tflite_facts(content: bytes) -> ModelFacts:
    """Return what a TensorFlow Lite file says of itself.

    Raises:
        ValueError: the file is refused; the message says why.
    """
    try:
        model = read_flat(SCHEMA, "Model", content, IDENTIFIER)
    except FlatBufferError as error:
        raise ValueError(f"the file is no TensorFlow Lite model: {error}") from error
    version = model.get("version", 0)
    if version != SCHEMA_VERSION:
        raise ValueError(f"the model's schema version is {version}, only {SCHEMA_VERSION} is run")
    names = [_operator_name(code) for code in model.get("operator_codes", [])]
    subgraphs = model.get("subgraphs", [])
    if not subgraphs:
        raise ValueError("the model has no graph")
    _check_buffers(model.get("buffers", []), len(content))
    for graph in subgraphs:
        _check_indices(graph, len(names), len(model.get("buffers", [])))
    operators = [
        names[op.get("opcode_index", 0)] for graph in subgraphs for op in graph.get("operators", [])
    ]
    if not 1 <= len(operators) <= MAX_NODES:
        raise ValueError(f"a model has 1 to {MAX_NODES:,} nodes, this one has {len(operators):,}")
    main, input_names = _main_graph(model, subgraphs)
    tensors = main.get("tensors", [])
    return ModelFacts(
        version=f"schema {version}",
        producer=model.get("description", "")[:200],
        inputs=tuple(_input(tensors[i], input_names.get(int(i))) for i in main.get("inputs", ())),
        outputs=tuple(_tensor(tensors[index]) for index in main.get("outputs", ())),
        dtype="int8" if _is_quantised(main) else "fp32",
        num_nodes=len(operators),
        num_params=sum(_num_constants(graph, model.get("buffers", [])) for graph in subgraphs),
        operators=counted(Counter(operators)),
    )


def _main_graph(
    model: dict[str, Any], subgraphs: list[dict[str, Any]]
) -> tuple[dict[str, Any], dict[int, str]]:
    """Return the graph that LiteRT runs, that of the first signature, and what that calls its inputs."""
    signatures = model.get("signature_defs", [])
    if not signatures:
        return subgraphs[0], {}
    index = signatures[0].get("subgraph_index", 0)
    if index >= len(subgraphs):
        raise ValueError("the first signature names a graph that is not there")
    names = {each.get("tensor_index", 0): each.get("name", "") for each in signatures[0].get("inputs", [])}
    return subgraphs[index], names


def _operator_name(code: dict[str, Any]) -> str:
    # Numbers above 127 do not fit the first field; then it holds 127, and older files have only that one.
    number = int(max(code.get("deprecated_builtin_code", 0), code.get("builtin_code", 0)))
    if not 0 <= number < len(BUILTIN_OPERATORS):
        raise ValueError(f"operator number {number} is none of the {len(BUILTIN_OPERATORS)} that are known")
    name = BUILTIN_OPERATORS[number]
    if name == CUSTOM or code.get("custom_code"):
        raise ValueError(
            f"the model has the custom operator {code.get('custom_code', '')[:80]!r}; custom operators are "
            "not run: convert the model with builtin operators only"
        )
    return name


def _check_buffers(buffers: list[dict[str, Any]], num_bytes: int) -> None:
    for index, buffer in enumerate(buffers):
        if buffer.get("offset", 0) + buffer.get("size", 0) > num_bytes:
            raise ValueError(f"buffer {index} ends outside the file; data in other files are not taken")


def _check_indices(graph: dict[str, Any], num_operators: int, num_buffers: int) -> None:
    tensors = graph.get("tensors", [])
    for tensor in tensors:
        if tensor.get("buffer", 0) >= max(1, num_buffers):
            raise ValueError(f"tensor {tensor.get('name', '')[:80]!r} names a buffer that is not there")
    for operator in graph.get("operators", []):
        if operator.get("opcode_index", 0) >= num_operators:
            raise ValueError("an operator has a number that the model does not list")
    ends = [graph, *graph.get("operators", [])]
    named = [index for end in ends for side in ("inputs", "outputs") for index in end.get(side, ())]
    if any(not -1 <= index < len(tensors) for index in named):  # -1: an optional input that is left out
        raise ValueError(f"graph {graph.get('name', '')[:80]!r} names a tensor that is not there")
    if any(index < 0 for side in ("inputs", "outputs") for index in graph.get(side, ())):
        raise ValueError(f"graph {graph.get('name', '')[:80]!r} leaves out an input or output of its own")


def _input(tensor: dict[str, Any], name: str | None) -> ModelTensor:
    found = _tensor(tensor, name)
    if found.dtype not in _FED:
        raise ValueError(
            f"input {found.name[:80]!r} is of {found.dtype}, which is not fed; only {', '.join(_FED)} are"
        )
    return found


def _tensor(tensor: dict[str, Any], name: str | None = None) -> ModelTensor:
    shape = [int(size) for size in tensor.get("shape", ())]
    signature = [int(size) for size in tensor.get("shape_signature", ())] or shape
    sizes = tuple(size if size > 0 else None for size in signature)
    return ModelTensor(name or tensor.get("name", ""), _type(tensor), sizes)


def _is_quantised(graph: dict[str, Any]) -> bool:
    return any(
        _type(t) == "int8" and len(t.get("quantization", {}).get("scale", ())) for t in graph["tensors"]
    )


def _type(tensor: dict[str, Any]) -> str:
    number = int(tensor.get("type", 0))
    return _TYPES[number] if 0 <= number < len(_TYPES) else f"type {number}"


def _num_constants(graph: dict[str, Any], buffers: list[dict[str, Any]]) -> int:
    constants = [
        t for t in graph.get("tensors", []) if buffers and _has_content(buffers[t.get("buffer", 0)])
    ]
    return sum(math.prod(int(size) for size in tensor.get("shape", ())) for tensor in constants)


def _has_content(buffer: dict[str, Any]) -> bool:
    return len(buffer.get("data", ())) > 0 or buffer.get("size", 0) > 1
