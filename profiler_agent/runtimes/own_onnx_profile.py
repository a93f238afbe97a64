"""A profile of ONNX Runtime -> a time for each node of a file that somebody brought.

A node within another one, in the body of a loop or a branch, is part of that one's time and left out, so
that the nodes of a run add up to it.
"""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import compress

from shared.protocol.measurement import NodeSamples

_KERNEL_SUFFIX = "_kernel_time"
_TOKEN = re.compile(r"_token_\d+$")
"""What the runtime hangs on the name of a node that it put in the place of others; counts sessions."""
_MAX_NAME = 200

Event = Mapping[str, object]


def own_nodes(events: Sequence[Event], is_timed: Sequence[bool]) -> tuple[NodeSamples, ...]:
    """Return the node times of those runs that count, in the order in which nodes first ran.

    Args:
        events: as in the profile's file.
        is_timed: whether each run counts, in the order in which they ran.
    """
    runs = sorted((e for e in events if e.get("name") == "model_run"), key=_start_us)
    kernels = sorted((e for e in events if _is_kernel(e)), key=_start_us)
    samples: dict[str, list[float]] = {}
    first: dict[str, Event] = {}
    place = 0
    for run_index, run in enumerate(runs):
        end_us = _start_us(run) + _duration_us(run)
        busy_until_us = 0.0
        while place < len(kernels) and _start_us(kernels[place]) <= end_us:
            event, place = kernels[place], place + 1
            if _start_us(event) < busy_until_us:
                continue  # it runs within another one
            busy_until_us = _start_us(event) + _duration_us(event)
            key = f"{_argument(event, 'node_index')}/{event['name']}"
            first.setdefault(key, event)
            samples.setdefault(key, [0.0] * len(runs))[run_index] += _duration_us(event)
    names = _unique([_name(event) for event in first.values()])
    return tuple(
        NodeSamples(
            name,
            "",
            str(_argument(event, "op_name")),
            tuple(compress(samples[key], is_timed)),
            _shapes(event),
        )
        for name, (key, event) in zip(names, first.items(), strict=True)
    )


def _is_kernel(event: Event) -> bool:
    return event.get("cat") == "Node" and str(event.get("name", "")).endswith(_KERNEL_SUFFIX)


def _start_us(event: Event) -> float:
    return float(str(event["ts"]))


def _duration_us(event: Event) -> float:
    return float(str(event["dur"]))


def _argument(event: Event, name: str) -> object:
    arguments = event.get("args")
    return arguments.get(name, "") if isinstance(arguments, dict) else ""


def _name(event: Event) -> str:
    return _TOKEN.sub("", str(event["name"]).removesuffix(_KERNEL_SUFFIX))[:_MAX_NAME]


def _unique(names: Sequence[str]) -> list[str]:
    """Number those that are not alone, such as the reorders that the runtime adds."""
    total, seen = Counter(names), Counter[str]()
    numbered = []
    for name in names:
        seen[name] += 1
        numbered.append(name if total[name] == 1 else f"{name}#{seen[name]}")
    return numbered


def _shapes(event: Event) -> str:
    """Return inputs and outputs such as ``1x3x32x32 8x3x3x3 -> 1x8x32x32``."""
    sides = (_argument(event, side) for side in ("input_type_shape", "output_type_shape"))
    text = " -> ".join(" ".join(_shape_texts(side)) for side in sides)
    return text[:_MAX_NAME]


def _shape_texts(side: object) -> list[str]:
    tensors = side if isinstance(side, list) else []
    shapes = [shape for tensor in tensors if isinstance(tensor, dict) for shape in tensor.values()]
    return ["x".join(map(str, shape)) or "scalar" for shape in shapes if isinstance(shape, list)]
