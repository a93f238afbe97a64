"""A found network as a repository of the Hugging Face hub: files, settings and model card."""

import io
import json
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from search_server.exports.model_card import model_card
from search_server.resources.found_networks import FoundArchitecture

HUB_PLACES: Mapping[str, str] = {
    "network.onnx": "onnx/model.onnx",
    "network-int8.onnx": "onnx/model_quantized.onnx",
    "network.tflite": "model.tflite",
    "network.py": "network.py",
    "network.pt": "network.pt",
}
"""Where a file of a search lies in the repository; ONNX where Optimum and Transformers.js look for it."""
NCNN_ARCHIVE = "network.ncnn.zip"
NCNN_PLACE = "ncnn/"

_LARGE = ("*.onnx", "*.tflite", "*.pt", "*.bin")
_BILINEAR = 2
_EPOCH = (1980, 1, 1, 0, 0, 0)


@dataclass(frozen=True, slots=True)
class HubSource:
    """What a search left of its network."""

    read: Callable[[str], bytes | None]
    """Returns what a file of the search holds, by its name there; None: it left no such file."""
    found: FoundArchitecture
    about: Mapping[str, Any]
    """The description that the model files hold too."""
    data: str
    """Images of the search, as its request named them."""


def hub_archive(source: HubSource) -> bytes:
    """Return the repository as a zip archive; the same files give the same bytes."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in sorted(hub_files(source).items()):
            archive.writestr(zipfile.ZipInfo(name, _EPOCH), data, zipfile.ZIP_DEFLATED)
    return content.getvalue()


def hub_files(source: HubSource) -> dict[str, bytes]:
    """Return the files of the repository by their place in it."""
    contents = {place: source.read(name) for name, place in HUB_PLACES.items()}
    files = {place: content for place, content in contents.items() if content is not None}
    ncnn = source.read(NCNN_ARCHIVE)
    if ncnn is not None:
        with zipfile.ZipFile(io.BytesIO(ncnn)) as archive:
            files |= {f"{NCNN_PLACE}{name}": archive.read(name) for name in archive.namelist()}
    texts = {
        ".gitattributes": "".join(f"{name} filter=lfs diff=lfs merge=lfs -text\n" for name in _LARGE),
        "README.md": model_card(source.found, source.about, source.data, sorted(files)),
        "config.json": _json(_config(source.about)),
        "preprocessor_config.json": _json(_preprocessor(source.about)),
    }
    return files | {name: text.encode() for name, text in texts.items()}


def _config(about: Mapping[str, Any]) -> dict[str, Any]:
    names = list(about["class_names"])
    return {
        "model_type": "edgenas",
        "architectures": ["FBNet"],
        "image_size": about["resolution"],
        "num_channels": 3,
        "id2label": {str(index): name for index, name in enumerate(names)},
        "label2id": {name: index for index, name in enumerate(names)},
        "edgenas": {name: value for name, value in about.items() if name != "class_names"},
    }


def _preprocessor(about: Mapping[str, Any]) -> dict[str, Any]:
    size = about["resolution"]
    return {
        "do_convert_rgb": True,
        "do_resize": True,
        "size": {"shortest_edge": size},
        "resample": _BILINEAR,
        "do_center_crop": True,
        "crop_size": {"height": size, "width": size},
        "do_rescale": False,  # the files take 0..255
        "do_normalize": False,  # and normalise themselves
    }


def _json(document: object) -> str:
    return json.dumps(document, ensure_ascii=False, indent=2) + "\n"
