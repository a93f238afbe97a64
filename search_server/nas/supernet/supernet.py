"""The supernet: a fixed stem and head around mixed layers, and theta, which chooses.

Source: FBNet (arXiv 1812.03443), section 3.2.

Shape letters: N batch, C channels, H height, W width, L layers, K candidates.
"""

from collections.abc import Iterator
from typing import get_args

import torch
from torch import Tensor, nn

from search_server.nas.supernet.accelerator import accelerator_of
from search_server.nas.supernet.entangled_layer import EntangledLayer
from search_server.nas.supernet.mixed_layer import MixedLayer, SeparateLayer
from search_server.nas.supernet.paths import Paths
from search_server.search_options import WeightsName
from shared.architecture import Architecture
from shared.blocks import narrowest_choice
from shared.modules import SegmentModule, initialise
from shared.search_space import SearchSpace


class Supernet(nn.Module):
    """All networks of a search space at once; ``theta_LK`` are the logits of the choice."""

    def __init__(self, space: SearchSpace, weights: WeightsName, generator: torch.Generator) -> None:
        super().__init__()
        self.space = space
        self.theta_LK = nn.Parameter(torch.zeros(space.num_layers, len(space.candidates)))
        self.stem = SegmentModule(space.stem())
        self.head = SegmentModule(space.head())
        initialise(self.stem, generator)
        initialise(self.head, generator)
        self.layers = nn.ModuleList(_mixed_layers(space, weights, generator))

    def forward(self, x_NCHW: Tensor, paths: Paths) -> Tensor:
        """Return logits ``(N, num_classes)`` along the given paths."""
        x_NCHW = self.stem(x_NCHW)
        weights_LK = paths.weights_LK
        weights_L = (
            [None] * len(self.layers) if weights_LK is None else weights_LK.to(x_NCHW.device).unbind()
        )
        for layer, candidates, weights_K in zip(self.layers, paths.candidates_L, weights_L, strict=True):
            x_NCHW = layer(x_NCHW, candidates, weights_K)
        logits_NC: Tensor = self.head(x_NCHW).flatten(1)
        return logits_NC

    def place(self, accelerator: torch.device) -> None:
        """Move all weights; theta stays on the CPU, where it is drawn from and held."""
        for part in (self.stem, self.layers, self.head):
            part.to(accelerator)

    @property
    def accelerator(self) -> torch.device:
        """Where the weights are, and images have to be."""
        return accelerator_of(self.stem)

    def weight_parameters(self) -> Iterator[nn.Parameter]:
        """Yield every parameter but theta."""
        return (parameter for name, parameter in self.named_parameters() if name != "theta_LK")

    def mixed_layers(self) -> Iterator[MixedLayer]:
        """Yield the searchable layers in order."""
        for layer in self.layers:
            assert isinstance(layer, MixedLayer)
            yield layer

    def own_candidates_L(self) -> list[int | None]:
        """Return for each layer the candidate that alone has weights of its own, if there is one."""
        return [layer.own_candidate for layer in self.mixed_layers()]

    def architecture(self) -> Architecture:
        """Return the most probable network: the largest theta of each layer."""
        return self.architecture_at(self.theta_LK.argmax(1).tolist())

    def architecture_at(self, indices_L: list[int]) -> Architecture:
        """Return the network of these candidate indices."""
        return Architecture(self.space, tuple(self.space.candidates[index] for index in indices_L))

    def extract_weights(self, architecture: Architecture) -> dict[str, Tensor]:
        """Return copies of a network's weights: a state for ``NetworkModule(architecture.workload())``."""
        state = {f"segments.stem.{name}": value for name, value in self.stem.state_dict().items()}
        state |= {f"segments.head.{name}": value for name, value in self.head.state_dict().items()}
        state = {name: value.detach().clone() for name, value in state.items()}
        for spec, layer, index in zip(
            self.space.layers, self.mixed_layers(), architecture.indices, strict=True
        ):
            for name, value in layer.candidate_state(index).items():
                state[f"segments.{spec.name}.{name}"] = value
        return state


def _mixed_layers(
    space: SearchSpace, weights: WeightsName, generator: torch.Generator
) -> Iterator[MixedLayer]:
    if weights not in get_args(WeightsName):
        raise ValueError(f"weights must be one of {', '.join(get_args(WeightsName))}, got {weights!r}")
    kinds = [narrowest_choice(block) for block in space.candidates]
    for row in space.candidate_segments():
        segments = [placed.segment for placed in row]
        if weights == "entangled":
            yield EntangledLayer(segments, generator, kinds)
        else:
            yield SeparateLayer(segments, generator)
