"""The model card of a found network: what it is, what it takes, how fast and how right it is."""

from collections.abc import Mapping, Sequence
from typing import Any

import yaml

from search_server.resources.found_networks import ExportedFile, FoundArchitecture

_USE = """\
## Use

`onnx/model.onnx` takes uint8 images `(N, 3, {size}, {size})`, RGB, 0..255, and normalises them itself.

```python
import json, numpy, onnxruntime
from PIL import Image, ImageOps

session = onnxruntime.InferenceSession("onnx/model.onnx")
names = json.loads(session.get_modelmeta().custom_metadata_map["class_names"])
photo = ImageOps.exif_transpose(Image.open("photo.jpg")).convert("RGB")
photo = ImageOps.fit(photo, ({size}, {size}), Image.Resampling.BILINEAR)
images = numpy.asarray(photo).transpose(2, 0, 1)[None]
print(names[session.run(None, {{"images": images}})[0].argmax()])
```

`network.py` holds the same network in plain torch, with its weights in `network.pt`.
"""

_LIMITS = """\
## What it is not

The search trained the network on the images named above, for as many epochs as it was given; nothing else
is known of it. Latencies hold for the device, the runtime and the conditions that are named, for no others.
Nobody has chosen a licence for the weights yet: add `license` to the head of this card before you publish.
"""


_ORIGINS = {
    "search": "as accurate as it could be within a latency that was measured on the device.",
    "table": "as the one with the most multiply-accumulates within a latency, by the latency table of the "
    "device alone; on the validation split it was ahead of what the search found.",
}


def model_card(found: FoundArchitecture, about: Mapping[str, Any], data: str, files: Sequence[str]) -> str:
    """Return the card: metadata as YAML, then Markdown.

    Args:
        found: the network with its files.
        about: the description that the files hold too.
        data: images of the search, as its request named them.
        files: what lies beside the card.
    """
    how = "table" if found.role == "most_macs" else "search"
    head = yaml.safe_dump(_metadata(found, about, data, files), sort_keys=False, allow_unicode=True)
    names = ", ".join(map(_plain, about["class_names"]))
    parts = [
        f"---\n{head}---",
        f"# {_title(about)}",
        f"An image classifier for {len(about['class_names'])} classes, found by "
        f"[edgenas](https://github.com/edgenas/edgenas) in the space `{about['space']}` {_ORIGINS[how]}",
        _table([("", ""), *_facts(found, about, data)]),
        f"Classes: {names}.",
        "## Files",
        _table([("file", "bytes", "validation", "test", "measured"), *map(_file, found.files)]),
        _USE.format(size=about["resolution"]).rstrip(),
        f"## Blocks\n\n`{found.architecture}`",
        _LIMITS.rstrip(),
    ]
    return "\n\n".join(parts) + "\n"


def _title(about: Mapping[str, Any]) -> str:
    device = str(about.get("device", "")).partition(",")[0]
    return f"{_plain(str(about['space']).partition(':')[0])} for {_plain(device) or 'a device'}"


def _metadata(
    found: FoundArchitecture, about: Mapping[str, Any], data: str, files: Sequence[str]
) -> dict[str, Any]:
    is_on_hub = data.startswith("hf:")
    data_set = data.removeprefix("hf:").partition(":")[0] if is_on_hub else "own-images"
    formats = {"onnx": "onnx/model.onnx", "tflite": "model.tflite", "pytorch": "network.pt"}
    tags = [name for name, place in formats.items() if place in files]
    metadata: dict[str, Any] = {
        "library_name": "onnx",
        "pipeline_tag": "image-classification",
        "tags": ["image-classification", "fbnet", "neural-architecture-search", "edgenas", *tags],
    }
    if is_on_hub:
        metadata["datasets"] = [data_set]
    if found.test_accuracy is not None:
        accuracy = {"type": "accuracy", "value": found.test_accuracy, "name": "test accuracy"}
        result = {
            "task": {"type": "image-classification"},
            "dataset": {"type": data_set, "name": data_set},
            "metrics": [accuracy],
        }
        metadata["model-index"] = [{"name": _title(about), "results": [result]}]
    return metadata


def _facts(found: FoundArchitecture, about: Mapping[str, Any], data: str) -> list[tuple[str, str]]:
    rows = [
        ("device and conditions", _plain(str(about.get("device", "")))),
        ("target", _ms(about.get("target_ms"))),
        ("predicted from the latency table", _ms(about.get("predicted_ms"))),
        ("measured on the device", _ms(about.get("measured_ms"))),
        ("test accuracy", _share(found.test_accuracy)),
        ("multiply-accumulates", f"{found.macs:,}"),
        ("parameters", f"{found.params:,}"),
        ("images", _plain(data if data.startswith("hf:") else data.rstrip("/").rpartition("/")[2])),
        ("resolution", f"{about['resolution']} x {about['resolution']}"),
    ]
    return [row for row in rows if row[1]]


def _file(file: ExportedFile) -> tuple[str, ...]:
    measured = ", ".join(
        f"{_ms(each.measured_us / 1000)} on {_plain(each.device)}" for each in file.latencies
    )
    shares = (_share(file.validation_accuracy), _share(file.test_accuracy))
    return (f"{file.format} {file.dtype}", f"{file.size_bytes:,}", *shares, measured)


def _table(rows: Sequence[Sequence[str]]) -> str:
    lines = [f"| {' | '.join(row)} |" for row in rows]
    return "\n".join([lines[0], f"|{'---|' * len(rows[0])}", *lines[1:]])


def _plain(text: str) -> str:
    """Return words that others chose so that Markdown shows them as they are."""
    return "".join(f"\\{sign}" if sign in "\\`*_[]<>|#" else sign for sign in " ".join(text.split()))


def _ms(latency_ms: float | None) -> str:
    return "" if latency_ms is None else f"{latency_ms:.3g} ms"


def _share(value: float | None) -> str:
    return "" if value is None else f"{100 * value:.1f} %"
