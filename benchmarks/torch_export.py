"""A network written anew in plain torch from the names of its blocks, and exported by torch's own exporter.

It shares nothing with the project but what an architecture says, channels, strides and names of blocks, and
that images come as bytes which the network normalises.
"""

import re
import tempfile
import warnings
from pathlib import Path

import torch
from torch import Tensor, nn

from shared.architecture import Architecture
from shared.macro_architecture import SearchSpace
from shared.traits import NO_TRAITS


class Normalise(nn.Module):
    """Bytes to numbers around zero."""

    def forward(self, images_NCHW: Tensor) -> Tensor:
        return (images_NCHW.float() - 114.75) / 63.75


class Residual(nn.Module):
    """Adds its input to what its body gives."""

    def __init__(self, body: nn.Module) -> None:
        super().__init__()
        self.body = body

    def forward(self, x_NCHW: Tensor) -> Tensor:
        added: Tensor = x_NCHW + self.body(x_NCHW)
        return added


class Shuffle(nn.Module):
    """Deals the channels of each group to all groups; the exporter does not know ``nn.ChannelShuffle``."""

    def __init__(self, groups: int) -> None:
        super().__init__()
        self.groups = groups

    def forward(self, x_NCHW: Tensor) -> Tensor:
        num, _, height, width = x_NCHW.shape
        grouped = x_NCHW.reshape(num, self.groups, -1, height, width)
        return grouped.transpose(1, 2).reshape(num, -1, height, width)


def can_write(space: SearchSpace) -> bool:
    """Tell whether the space has nothing but FBNet's blocks, which is all that is written here."""
    return (
        (space.activation, space.stem_tail, space.head_features) == ("relu", (), 0)
        and all(layer.traits == NO_TRAITS for layer in space.layers)
        and all(re.fullmatch(r"skip|k\d+_e\d+(_g\d+)?", name) for name in space.candidates)
    )


def torch_network(network: Architecture) -> nn.Sequential:
    """Return the network with random weights: uint8 images ``(N, 3, H, W)`` to logits ``(N, classes)``."""
    space = network.space
    parts: list[nn.Module] = _convolution(space.input_channels, space.stem_channels, 3, space.stem_stride)
    parts.append(nn.ReLU())
    for layer, name in zip(space.layers, network.blocks, strict=True):
        parts.append(_block(name, layer.in_channels, layer.out_channels, layer.stride))
    parts += [
        *_convolution(space.layers[-1].out_channels, space.head_channels),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(space.head_channels, space.num_classes),
    ]
    return nn.Sequential(Normalise(), *parts)


def torch_exported(network: Architecture) -> bytes:
    """Return the network as an ONNX file from uint8 ``images`` to ``logits``, with a batch of one."""
    images = torch.zeros(1, *network.space.input_shape, dtype=torch.uint8)
    with tempfile.TemporaryDirectory(prefix="edgenas-torch-") as folder, warnings.catch_warnings():
        path = Path(folder) / "network.onnx"
        warnings.simplefilter("ignore", DeprecationWarning)  # the newer exporter needs one more package
        torch.onnx.export(
            torch_network(network).eval(),
            (images,),
            path,
            input_names=["images"],
            output_names=["logits"],
            dynamo=False,
        )
        return path.read_bytes()


def _block(name: str, in_channels: int, out_channels: int, stride: int) -> nn.Module:
    """Return a block: ``k5_e3_g2`` is kernel 5, expansion 3, two groups."""
    keeps_shape = stride == 1 and in_channels == out_channels
    if name == "skip":
        conv = [*_convolution(in_channels, out_channels, stride=stride), nn.ReLU()]
        return nn.Identity() if keeps_shape else nn.Sequential(*conv)
    sizes = {part[0]: int(part[1:]) for part in name.split("_")}
    kernel_size, groups = sizes["k"], sizes.get("g", 1)
    middle = in_channels * sizes["e"]
    body = nn.Sequential(
        *_convolution(in_channels, middle, groups=groups),
        nn.ReLU(),
        Shuffle(groups) if groups > 1 else nn.Identity(),
        *_convolution(middle, middle, kernel_size, stride, groups=middle),
        nn.ReLU(),
        *_convolution(middle, out_channels, groups=groups),
    )
    return Residual(body) if keeps_shape else body


def _convolution(
    in_channels: int, out_channels: int, kernel_size: int = 1, stride: int = 1, groups: int = 1
) -> list[nn.Module]:
    conv = nn.Conv2d(
        in_channels, out_channels, kernel_size, stride, kernel_size // 2, groups=groups, bias=False
    )
    nn.init.kaiming_normal_(conv.weight)  # smaller weights would make the last activations denormal
    norm = nn.BatchNorm2d(out_channels)
    nn.init.normal_(norm.bias, std=0.1)  # the exporter stores equal arrays once
    return [conv, norm]
