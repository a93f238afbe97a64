"""The language that agent, server and search speak: data only, standard library + cattrs + httpx."""

import os

# ONNX Runtime counts its use for its maker, in ~/.cache/Microsoft with a number for the device, unless this
# is set before it is loaded. Both programs load this package first.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
