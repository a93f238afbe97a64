"""Workload -> ExecuTorch program: a method for the network and one a segment, each a single XNNPACK graph.

The file is written here, not exported by torch: an export takes 15 s and more, this takes milliseconds.
Methods take and give channels last. Their activations lie in the one memory that all methods of a program
share, and a segment's output lies where the next segment's input does, so that a runtime runs the segments
one after another without touching what is between them. Graphs overlap in the file: each one is said to
reach to its end, where the constants lie that all of them share.
Source of the format: ``program.fbs`` and the file headers of ExecuTorch 1.5.
"""

import math
import struct
from collections.abc import Mapping, Sequence

from search_server.model_files.flat_tables import Member, Schema, Table, flat_bytes
from search_server.model_files.folding import Array, FoldedWeights
from search_server.model_files.xnnpack_graph import Constants, XnnpackGraph
from shared.workload import Workload

NETWORK = "network"
"""Method of the whole network; the others are called by their segment."""

_SCHEMA = Schema.of(
    Program="version:Uint32 execution_plan:[table] constant_buffer:[table] backend_delegate_data:[table] "
    "segments:[table] constant_segment:table",
    DataSegment="offset:Uint64 size:Uint64",
    SubsegmentOffsets="segment_index:Uint32 offsets:[Uint64]",
    ExecutionPlan="name:text container_meta_type:table values:[table] inputs:[Int32] outputs:[Int32] "
    "chains:[table] operators:[table] delegates:[table] non_const_buffer_sizes:[Int64]",
    ContainerMetadata="encoded_inp_str:text encoded_out_str:text",
    EValue="val:union",
    Tensor="scalar_type:Int8 storage_offset:Int32 sizes:[Int32] dim_order:[Uint8] requires_grad:Bool "
    "data_buffer_idx:Uint32 allocation_info:table",
    AllocationDetails="memory_id:Uint32 memory_offset_low:Uint32 memory_offset_high:Uint32",
    Chain="inputs:[Int32] outputs:[Int32] instructions:[table]",
    Instruction="instr_args:union",
    DelegateCall="delegate_index:Int32 args:[Int32]",
    BackendDelegate="id:text processed:table compile_specs:[table]",
    BackendDelegateDataReference="location:Int8 index:Uint32",
)
_IDENTIFIER = b"ET12"
_TENSOR, _DELEGATE_CALL = 5, 2
"""Numbers in the format's unions."""

_FLOAT = 6
_IN_A_SEGMENT_OF_THE_FILE = 1
_ALIGNMENT = 128
_HEADER_SIZE = 32
_GRAPH_HEADER_SIZE = 30


def pte_bytes(workload: Workload, weights: Mapping[str, Array] | None = None, batch: int = 1) -> bytes:
    """Return a program with methods for the network and each segment: one input and one output, NHWC.

    Args:
        workload: the network.
        weights: of a trained network that goes to a device in this format, one array per parameter as in
            ``FoldedWeights``; None makes all of them zero, for timing.
        batch: images per run.

    Raises:
        ValueError: an array is missing or has another shape than its operator.
    """
    constants = Constants(FoldedWeights(weights) if weights is not None else None)
    parts = [
        (segment, shape)
        for segment, shape in zip(workload.segments, workload.shapes(), strict=False)
        if segment.operators
    ]
    graphs = {NETWORK: XnnpackGraph(parts, batch, constants)}
    graphs |= {part[0].name: XnnpackGraph([part], batch, constants) for part in parts}
    payloads, offsets = _payloads([graph.tables() for graph in graphs.values()], constants.region())
    plans = _plans(graphs)
    segments = [Table("DataSegment", {"offset": at, "size": len(payloads) - at}) for at in offsets]
    no_constants = Table("SubsegmentOffsets", {"offsets": [0]})  # the first one is never used
    fields = {"execution_plan": plans, "segments": segments, "constant_segment": no_constants}
    return _file(Table("Program", fields), payloads)


def _payloads(tables: Sequence[bytes], region: bytes) -> tuple[bytes, list[int]]:
    """Return graphs with their headers, then the constants; and where each graph starts."""
    head_size = _aligned(_GRAPH_HEADER_SIZE)
    sizes = [head_size + _aligned(len(table)) for table in tables]
    constants_start = sum(sizes)
    content = bytearray()
    offsets = []
    for table in tables:
        offsets.append(len(content))
        constants_offset = constants_start - len(content)
        header = struct.pack(
            "<4x4sHIIIQ", b"XH00", _GRAPH_HEADER_SIZE, head_size, len(table), constants_offset, len(region)
        )
        content += _padded(header) + _padded(table)
    return bytes(content) + region, offsets


def _plans(graphs: Mapping[str, XnnpackGraph]) -> list[Table]:
    """Return one method a graph; the activations between segments lie in two places by turns."""
    largest = max(math.prod(d) for graph in graphs.values() for d in (graph.input_dims, graph.output_dims))
    place_size = _aligned(largest * 4 + _ALIGNMENT)  # XNNPACK may read a little past an input
    places = (0, place_size)
    plans = [_plan(NETWORK, graphs[NETWORK], 0, places, 2 * place_size)]
    for index, (name, graph) in enumerate(list(graphs.items())[1:]):
        here = places if index % 2 == 0 else places[::-1]
        plans.append(_plan(name, graph, index + 1, here, 2 * place_size))
    return plans


def _plan(name: str, graph: XnnpackGraph, index: int, places: tuple[int, int], memory_bytes: int) -> Table:
    tensors = zip((graph.input_dims, graph.output_dims), places, strict=True)
    call = Table("DelegateCall", {"delegate_index": 0, "args": [0, 1]})
    instruction = Table("Instruction", {"instr_args": Member(_DELEGATE_CALL, call)})
    data = Table("BackendDelegateDataReference", {"location": _IN_A_SEGMENT_OF_THE_FILE, "index": index})
    fields = {
        "name": name,
        "container_meta_type": Table("ContainerMetadata", {"encoded_inp_str": "", "encoded_out_str": ""}),
        "values": [_tensor(dims, place) for dims, place in tensors],
        "inputs": [0],
        "outputs": [1],
        "chains": [Table("Chain", {"inputs": [], "outputs": [], "instructions": [instruction]})],
        "operators": [],
        "delegates": [
            Table("BackendDelegate", {"id": "XnnpackBackend", "processed": data, "compile_specs": []})
        ],
        "non_const_buffer_sizes": [0, memory_bytes],  # number 0 is for constants
    }
    return Table("ExecutionPlan", fields)


def _tensor(dims: tuple[int, ...], place: int) -> Table:
    fields = {
        "scalar_type": _FLOAT,
        "sizes": dims,
        "dim_order": range(len(dims)),
        "allocation_info": Table("AllocationDetails", {"memory_id": 1, "memory_offset_low": place}),
    }
    return Table("EValue", {"val": Member(_TENSOR, Table("Tensor", fields))})


def _file(program: Table, payloads: bytes) -> bytes:
    """Return tables, the header that says where the payloads lie put in after the identifier, and these."""
    tables = flat_bytes(_SCHEMA, program, _IDENTIFIER)
    size = len(tables) + _HEADER_SIZE
    header = struct.pack("<4sIQQQ", b"eh00", _HEADER_SIZE, size, _aligned(size), len(payloads))
    root = struct.unpack_from("<I", tables)[0] + _HEADER_SIZE
    return _padded(struct.pack("<I", root) + tables[4:8] + header + tables[8:]) + payloads


def _aligned(size: int) -> int:
    return -(-size // _ALIGNMENT) * _ALIGNMENT


def _padded(data: bytes) -> bytes:
    return data + bytes(_aligned(len(data)) - len(data))
