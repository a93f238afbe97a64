"""A repository of the hub is unpacked into a new folder, and nothing is overwritten."""

import io
import zipfile
from pathlib import Path

import pytest

from search_server.client.hub_folder import push_hub, unpack_hub
from tests.client.conftest import Edgenas


def archive(**files: str) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as written:
        for name, text in files.items():
            written.writestr(name, text)
    return content.getvalue()


def test_files_go_into_a_folder_of_their_own(tmp_path: Path) -> None:
    folder = tmp_path / "flowers"
    assert unpack_hub(archive(README="card", config="{}"), folder) == ["README", "config"]
    assert (folder / "README").read_text() == "card"
    with pytest.raises(ValueError, match="is not empty"):
        unpack_hub(archive(README="another"), folder)
    assert (folder / "README").read_text() == "card"


def test_a_name_that_the_hub_does_not_take_is_told(tmp_path: Path) -> None:
    pytest.importorskip("huggingface_hub", reason="not installed: pip install huggingface_hub")
    with pytest.raises(ValueError, match="the hub did not take not a name!!"):
        push_hub(tmp_path, "not a name!!")


def test_options_that_do_not_go_together_are_refused(edgenas: Edgenas, tmp_path: Path) -> None:
    folder = str(tmp_path / "flowers")
    for words in (
        ("--to-hub-folder", folder, "-o", "network.onnx"),
        ("--to-hub-folder", folder, "--format", "onnx"),
        ("--push", "me/flowers"),
    ):
        assert edgenas("search", "export", "job_0006534f2c1a9e4b1f0c22", *words).exit_code == 2
    assert not (tmp_path / "flowers").exists()
