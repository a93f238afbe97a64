"""What the pages of models know before they ask: formats of files, and the runtimes that run each."""

import json
from typing import get_args

from search_server.resources.models import ModelFormat
from shared.runtimes import RUNTIMES

MODEL_FORMATS: tuple[ModelFormat, ...] = get_args(ModelFormat)


def runtimes_by_format() -> str:
    """Return the runtimes that run files of one's own in each format, as JSON by format."""
    able = {
        name: [r.name for r in RUNTIMES.values() if r.runs_own_files and r.model_format == name]
        for name in MODEL_FORMATS
    }
    return json.dumps(able)
