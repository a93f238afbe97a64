"""A workload: a network of named segments, the only thing an agent ever times.

A single block, a cover network, the anchor and a finished network are all workloads.
"""

import hashlib
import json
from dataclasses import asdict, dataclass
from functools import lru_cache
from itertools import pairwise

from shared.operators import OLD_KINDS, Operator, Shape

IMAGE_CHANNELS = 3


@dataclass(frozen=True, slots=True)
class Segment:
    """A named run of operators; ``residual`` adds the segment's input to its output.

    A segment without operators is an identity: it costs nothing and has no key of its own.
    """

    name: str
    operators: tuple[Operator, ...]
    residual: bool = False

    def __post_init__(self) -> None:
        if not self.name or not self.name.replace("_", "").isalnum():
            raise ValueError(f"segment name must be letters, digits and '_', got {self.name!r}")
        if self.residual and not self.operators:
            raise ValueError(f"segment {self.name!r} is residual but has no operators")

    def output_shape(self, shape: Shape) -> Shape:
        """Return the shape behind the last operator.

        Raises:
            ValueError: an operator does not take the shape that reaches it, or a residual segment
                changes the shape.
        """
        output = shape
        for operator in self.operators:
            output = operator.output_shape(output)
        if self.residual and output != shape:
            raise ValueError(f"segment {self.name!r} is residual but maps {shape} to {output}")
        return output

    def macs(self, shape: Shape) -> int:
        """Return the multiply-accumulates for one image of this input shape."""
        total = 0
        for operator in self.operators:
            total += operator.macs(shape)
            shape = operator.output_shape(shape)
        return total

    @property
    def num_params(self) -> int:
        return sum(operator.num_params for operator in self.operators)


@dataclass(frozen=True, slots=True)
class Workload:
    """A chain of segments that runs on one image of ``input_shape`` (channels, height, width)."""

    input_shape: Shape
    segments: tuple[Segment, ...]

    def __post_init__(self) -> None:
        if min(self.input_shape) < 1:
            raise ValueError(f"input_shape must be three sizes of at least 1, got {self.input_shape}")
        names = [segment.name for segment in self.segments]
        repeated = sorted({name for name in names if names.count(name) > 1})
        if repeated:
            raise ValueError(f"segment names must be unique, repeated: {', '.join(repeated)}")
        if not any(segment.operators for segment in self.segments):
            raise ValueError("a workload needs at least one segment with an operator")
        self.shapes()

    def shapes(self) -> tuple[Shape, ...]:
        """Return ``len(segments) + 1`` shapes: what each segment takes, then what the last gives."""
        shapes = [self.input_shape]
        for segment in self.segments:
            shapes.append(segment.output_shape(shapes[-1]))
        return tuple(shapes)

    def segment_keys(self) -> tuple[str, ...]:
        """Return one latency key a segment, in order."""
        return tuple(
            segment_key(segment, shape)
            for segment, shape in zip(self.segments, self.shapes(), strict=False)
        )

    @property
    def output_shape(self) -> Shape:
        return self.shapes()[-1]

    @property
    def first_segment(self) -> Segment:
        """Return the first segment that computes something."""
        return next(segment for segment in self.segments if segment.operators)

    @property
    def takes_images(self) -> bool:
        """Whether the input is an image of three colours: its file takes 0..255 and subtracts the mean."""
        return self.input_shape[0] == IMAGE_CHANNELS

    @property
    def macs(self) -> int:
        shapes = self.shapes()
        return sum(s.macs(shape) for s, (shape, _) in zip(self.segments, pairwise(shapes), strict=True))

    @property
    def num_params(self) -> int:
        """Weights, biases and the scale and shift of batch norms."""
        return sum(segment.num_params for segment in self.segments)

    @property
    def key(self) -> str:
        """The identity of this workload's latency: 16 hex digits that do not depend on names."""
        return _digest(
            {
                "input_shape": self.input_shape,
                "segments": [_canonical(s.operators, s.residual) for s in self.segments if s.operators],
            }
        )


def is_old(segment: Segment) -> bool:
    """Tell whether agents of all protocols know a segment's operators."""
    return all(operator.kind in OLD_KINDS for operator in segment.operators)


IDENTITY_KEY = "identity"
"""The key of a segment without operators; its latency is zero by definition."""


def segment_key(segment: Segment, input_shape: Shape) -> str:
    """Return the identity of a segment's latency: operators, residual and input shape, no name."""
    if not segment.operators:
        return IDENTITY_KEY
    return _latency_key(segment.operators, segment.residual, input_shape)


@lru_cache(maxsize=10_000)
def _latency_key(operators: tuple[Operator, ...], residual: bool, input_shape: Shape) -> str:
    """Return the key of a segment whatever its name; a table asks for the same hundred again and again."""
    return _digest({"input_shape": input_shape, "segment": _canonical(operators, residual)})


def _canonical(operators: tuple[Operator, ...], residual: bool) -> dict[str, object]:
    return {"operators": [asdict(operator) for operator in operators], "residual": residual}


def _digest(document: dict[str, object]) -> str:
    text = json.dumps(document, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:16]
