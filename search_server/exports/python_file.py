"""A found network as a Python file that needs torch alone: it names the operators and loads network.pt.

Parameters have the names of ``shared/modules.py``, so that the same weights fit.
"""

import json

from search_server.exports.description import Description
from shared.normalisation import DIVISOR, OFFSET
from shared.operators import (
    BatchNorm2d,
    ChannelShuffle,
    Conv2d,
    GlobalAvgPool,
    HSigmoid,
    HSwish,
    Linear,
    Operator,
    ReLU,
    ReLU6,
    SqueezeExcite,
)
from shared.workload import Segment, Workload

_TEMPLATE = '''"""A trained network in plain torch; its weights are in network.pt beside this file.

    import network
    model = network.load()
    logits = model(images)               # torch.uint8, (N, 3, height, width), RGB, 0..255
    print(network.names(logits))         # one name an image

ABOUT says what to feed and where the network comes from.
"""

import json
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

ABOUT = json.loads(
    r"""
@about@
"""
)


class Shuffle(nn.Module):
    """Transposes (groups, channels / groups), so that the next grouped convolution mixes them."""

    def __init__(self, groups: int) -> None:
        super().__init__()
        self.groups = groups

    def forward(self, x: Tensor) -> Tensor:
        return x.unflatten(1, (self.groups, -1)).transpose(1, 2).flatten(1, 2)


class SqueezeExcite(nn.Module):
    """Scales each channel by a gate that looks at the whole map."""

    def __init__(self, channels: int, squeezed: int) -> None:
        super().__init__()
        self.reduce = nn.Conv2d(channels, squeezed, 1)
        self.expand = nn.Conv2d(squeezed, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        squeezed = torch.relu(self.reduce(x.mean((2, 3), keepdim=True)))
        return x * nn.functional.hardsigmoid(self.expand(squeezed))


class Segment(nn.Sequential):
    """A chain of operators."""


class Residual(Segment):
    """A chain of operators that adds its input to its output."""

    def forward(self, x: Tensor) -> Tensor:
        return x + super().forward(x)


class Network(nn.Module):
    """uint8 images (N, @channels@, @height@, @width@) to logits (N, @classes@)."""

    def __init__(self) -> None:
        super().__init__()
        self.segments = nn.ModuleDict(
            {
@segments@
            }
        )

    def forward(self, images: Tensor) -> Tensor:
        x = (images.float() - @offset@) / @divisor@
        for segment in self.segments.values():
            x = segment(x)
        return x.flatten(1)


def conv(inputs: int, outputs: int, size: int, stride: int = 1, groups: int = 1) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, size, stride, size // 2, groups=groups, bias=False)


class Linear(nn.Linear):
    """A fully connected layer behind pooling: it drops height and width, which are 1."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x.flatten(1))


def load(path: Path = Path(__file__).with_name("network.pt")) -> Network:
    """Return the network with its weights as fast as torch runs it: to classify, not to train further."""
    network = Network()
    network.load_state_dict(torch.load(path, map_location="cpu", weights_only=True))
    network.eval()
    for segment in network.segments.values():
        for index in range(len(segment) - 1):
            conv, norm = segment[index], segment[index + 1]
            if isinstance(conv, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d):
                segment[index], segment[index + 1] = fuse_conv_bn_eval(conv, norm), nn.Identity()
    return network.to(memory_format=torch.channels_last)


def names(logits: Tensor) -> list[str]:
    """Return the name of each image's class."""
    return [ABOUT["class_names"][index] for index in logits.argmax(1).tolist()]
'''


def python_file(workload: Workload, description: Description) -> str:
    """Return the text of the file.

    Args:
        workload: the network; it ends in a fully connected layer.
        description: becomes ``ABOUT``.
    """
    channels, height, width = workload.input_shape
    values = {
        "channels": str(channels),
        "height": str(height),
        "width": str(width),
        "classes": str(workload.output_shape[0]),
        "offset": repr(OFFSET),
        "divisor": repr(DIVISOR),
        "segments": "\n".join(f"{' ' * 16}{_segment(segment)}," for segment in workload.segments),
        # Last, since it holds names that others chose. JSON in ASCII has no quotes of its own kind in a
        # row but as \", so that it cannot end the raw string.
        "about": _about(description),
    }
    text = _TEMPLATE
    for name, value in values.items():
        text = text.replace(f"@{name}@", value)
    return text


def _about(description: Description) -> str:
    """Return the description as ASCII, one line a name."""
    said = json.loads(description.json())
    lines = (f"  {json.dumps(name)}: {json.dumps(value)}" for name, value in said.items())
    return "{\n" + ",\n".join(lines) + "\n}"


def _segment(segment: Segment) -> str:
    kind = "Residual" if segment.residual else "Segment"
    return f"{json.dumps(segment.name)}: {kind}({', '.join(map(_operator, segment.operators))})"


def _operator(operator: Operator) -> str:
    match operator:
        case Conv2d(inputs, outputs, size, stride, groups):
            return f"conv({inputs}, {outputs}, {size}, {stride}, {groups})"
        case BatchNorm2d(channels):
            return f"nn.BatchNorm2d({channels})"
        case ReLU():
            return "nn.ReLU(inplace=True)"
        case ReLU6():
            return "nn.ReLU6()"
        case HSigmoid():
            return "nn.Hardsigmoid()"
        case HSwish():
            return "nn.Hardswish()"
        case SqueezeExcite(channels, squeezed):
            return f"SqueezeExcite({channels}, {squeezed})"
        case ChannelShuffle(groups):
            return f"Shuffle({groups})"
        case GlobalAvgPool():
            return "nn.AdaptiveAvgPool2d(1)"
        case Linear(inputs, outputs):
            return f"Linear({inputs}, {outputs})"
