"""Write the model files of ``profiler-agent selftest``: one for each runtime that loads a file."""

import gzip
from importlib.resources import files
from pathlib import Path

from profiler_agent.selftest.measure import MODEL_FORMATS, NETWORK, model_name
from search_server.model_files.model_file import model_file
from shared.architecture import parse_architecture
from shared.protocol.device import Conditions


def main() -> None:
    """Write the files into the package; run it after a writer of model files changed."""
    workload = parse_architecture(NETWORK).workload()
    folder = Path(str(files("profiler_agent.selftest")))
    for runtime in MODEL_FORMATS:
        model = model_file(workload, Conditions(runtime))
        assert model is not None, "these runtimes load files"
        content = gzip.compress(model.content, mtime=0)  # without the time: the same model, the same file
        (folder / model_name(runtime)).write_bytes(content)


if __name__ == "__main__":
    main()
