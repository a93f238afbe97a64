"""Presets of a search: what a request that names one need not say.

The values are those of ``search_server.nas.config``, which knows further ones that no request changes:
rates of learning, temperature, how theta gets its gradient. A test holds that the two agree.
"""

from collections.abc import Mapping
from typing import Any, Literal

PresetName = Literal["small-budget", "fbnet-paper"]

OF_PRESET: Any = None
"""Default of a field that a preset fills in. A request that was made, sent or stored holds the value."""

SEARCH_PRESETS: Mapping[PresetName, Mapping[str, Any]] = {
    "small-budget": {
        "loss": "budget",
        "paths": "one",
        "weights": "entangled",
        "epochs": 20,
        "warmup_epochs": 4,
        "batch_size": 64,
        "step_images": 16,
    },
    "fbnet-paper": {
        "loss": "fbnet",
        "paths": "soft",
        "weights": "separate",
        "epochs": 90,
        "warmup_epochs": 10,
        "batch_size": 192,
        "step_images": 192,
    },
}
