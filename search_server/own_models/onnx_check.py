"""Is an ONNX file fit to be sent to devices? It is parsed and never run.

Refused are files that need others (external data), operators that no runtime brings along, and versions
that this server cannot read. What a device's runtime makes of the rest shows when it loads the file.
"""

import math
from collections import Counter
from collections.abc import Iterator

import onnx
from onnx import AttributeProto, GraphProto, ModelProto, NodeProto, TensorProto, defs, helper

from search_server.own_models.limits import MAX_NODES, counted
from search_server.resources.models import ModelFacts, ModelTensor

OLDEST_IR_VERSION = 3
KNOWN_DOMAINS = ("", "ai.onnx", "ai.onnx.ml", "com.microsoft")
"""Those whose operators come with ONNX Runtime."""

_QUANTISED = ("QuantizeLinear", "DequantizeLinear", "QLinearConv", "QLinearMatMul", "ConvInteger")
_NOT_ONNX = "the file is no ONNX model"


def onnx_facts(content: bytes) -> ModelFacts:
    """Return what an ONNX file says of itself.

    Raises:
        ValueError: the file is refused; the message says why, and what helps where something does.
    """
    model = _parsed(content)
    opset = _checked_versions(model)
    nodes = list(_all_nodes(model.graph))
    if not 1 <= len(nodes) <= MAX_NODES:
        raise ValueError(f"a model has 1 to {MAX_NODES:,} nodes, this one has {len(nodes):,}")
    _refuse_external_data(model, nodes)
    _refuse_unknown_operators(model, nodes)
    try:
        onnx.checker.check_model(model)
    except (onnx.checker.ValidationError, ValueError) as error:
        raise ValueError(f"{_NOT_ONNX}: {str(error).strip().splitlines()[0]}") from error
    weights = {tensor.name for tensor in model.graph.initializer}
    types = Counter(f"{node.domain}.{node.op_type}" if node.domain else node.op_type for node in nodes)
    return ModelFacts(
        version=f"IR {model.ir_version}, opset {opset}",
        producer=f"{model.producer_name} {model.producer_version}".strip()[:200],
        inputs=tuple(_tensor(value, "input") for value in model.graph.input if value.name not in weights),
        outputs=tuple(_tensor(value, "output") for value in model.graph.output),
        dtype="int8" if any(type_ in _QUANTISED for type_ in types) else "fp32",
        num_nodes=len(nodes),
        num_params=sum(math.prod(tensor.dims) for tensor in model.graph.initializer),
        operators=counted(types),
    )


def _parsed(content: bytes) -> ModelProto:
    model = ModelProto()
    try:
        model.ParseFromString(content)
    except Exception as error:  # protobuf's own class differs between its implementations
        raise ValueError(f"{_NOT_ONNX}: it cannot be parsed") from error
    if not model.HasField("graph"):
        raise ValueError(f"{_NOT_ONNX}: it has no graph")
    return model


def _checked_versions(model: ModelProto) -> int:
    """Return the version of ONNX's own operators."""
    if not OLDEST_IR_VERSION <= model.ir_version <= onnx.IR_VERSION:
        raise ValueError(
            f"the model's IR version is {model.ir_version}, this server reads {OLDEST_IR_VERSION} to "
            f"{onnx.IR_VERSION}; export it with an older exporter, or update the server's onnx package"
        )
    versions = {entry.domain: entry.version for entry in model.opset_import}
    local = {function.domain for function in model.functions}
    strangers = sorted(set(versions) - set(KNOWN_DOMAINS) - local)
    if strangers:
        raise ValueError(
            f"the model uses operators of {', '.join(map(repr, strangers))}, which no runtime brings "
            "along; export it with operators of ONNX alone"
        )
    opset = int(versions.get("", versions.get("ai.onnx", 0)))
    newest = defs.onnx_opset_version()
    if not 1 <= opset <= newest:
        raise ValueError(
            f"the model's opset is {opset}, this server knows 1 to {newest}; export it for one"
        )
    return opset


def _all_nodes(graph: GraphProto) -> Iterator[NodeProto]:
    """Yield the nodes of a graph and of the graphs within it."""
    for node in graph.node:
        yield node
        for attribute in node.attribute:
            for inner in _graphs(attribute):
                yield from _all_nodes(inner)


def _graphs(attribute: AttributeProto) -> Iterator[GraphProto]:
    if attribute.HasField("g"):
        yield attribute.g
    yield from attribute.graphs


def _refuse_external_data(model: ModelProto, nodes: list[NodeProto]) -> None:
    nodes = [*nodes, *(node for function in model.functions for node in function.node)]
    graphs = [model.graph, *(g for node in nodes for a in node.attribute for g in _graphs(a))]
    tensors = [tensor for graph in graphs for tensor in graph.initializer]
    for sparse in (each for graph in graphs for each in graph.sparse_initializer):
        tensors += [sparse.values, sparse.indices]
    for attribute in (attribute for node in nodes for attribute in node.attribute):
        tensors += [attribute.t] if attribute.HasField("t") else []
        tensors += attribute.tensors
    for tensor in tensors:
        if tensor.data_location == TensorProto.EXTERNAL or tensor.external_data:
            raise ValueError(
                f"the data of tensor {tensor.name[:80]!r} lie in another file; save the model as one file: "
                "onnx.save(onnx.load(FILE), NEW_FILE, save_as_external_data=False)"
            )


def _refuse_unknown_operators(model: ModelProto, nodes: list[NodeProto]) -> None:
    versions = {entry.domain or "ai.onnx": entry.version for entry in model.opset_import}
    local = {(function.domain, function.name) for function in model.functions}
    for node in [*nodes, *(node for function in model.functions for node in function.node)]:
        if (node.domain, node.op_type) in local or node.domain == "com.microsoft":
            continue
        domain = "" if node.domain == "ai.onnx" else node.domain
        try:
            defs.get_schema(node.op_type, versions.get(domain or "ai.onnx", 0), domain)
        except defs.SchemaError:
            raise ValueError(
                f"node {node.name[:80]!r} is a {node.domain}{'.' if node.domain else ''}{node.op_type}, an "
                "operator that ONNX does not have at the model's opset; custom operators are not run"
            ) from None


def _tensor(value: onnx.ValueInfoProto, what: str) -> ModelTensor:
    kind = value.type.tensor_type
    if not value.type.HasField("tensor_type") or kind.elem_type in (0, TensorProto.STRING):
        raise ValueError(f"{what} {value.name[:80]!r} must be a tensor of numbers")
    sizes = tuple(
        d.dim_value if d.HasField("dim_value") and d.dim_value > 0 else None for d in kind.shape.dim
    )
    name = helper.tensor_dtype_to_np_dtype(kind.elem_type).name
    return ModelTensor(value.name, name, sizes)
