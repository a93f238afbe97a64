"""What an exported network says of itself: what to feed it, what its outputs mean, where it comes from."""

import json
from dataclasses import asdict, dataclass

RESIZE_RULE = (
    "RGB; scale the image bilinearly until its shorter side is the resolution, "
    "then take the square in the centre"
)


@dataclass(frozen=True, slots=True)
class Description:
    """What belongs to a network beside its weights."""

    space: str
    architecture: str
    """Blocks separated by commas."""
    resolution: int
    """Height and width of the images, in pixels."""
    class_names: tuple[str, ...]
    """What each output stands for."""
    snapshot: str = ""
    """The latency table that the search used; empty for none."""
    device: str = ""
    target_ms: float | None = None
    predicted_ms: float | None = None
    measured_ms: float | None = None
    """Of the timing model, before the network was trained."""
    test_accuracy: float | None = None
    """Of the trained network in torch, 0..1."""
    input: str = "uint8 images (N, 3, resolution, resolution), values 0..255; the graph normalises them"
    resize: str = RESIZE_RULE

    def texts(self) -> dict[str, str]:
        """Return names and values as text, for formats that keep nothing else; lists are JSON."""
        return {name: _text(value) for name, value in self._known().items()}

    def json(self) -> str:
        """Return the same as one JSON object."""
        return json.dumps(self._known(), ensure_ascii=False, indent=2)

    def _known(self) -> dict[str, object]:
        return {name: value for name, value in asdict(self).items() if value is not None}


def _text(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
