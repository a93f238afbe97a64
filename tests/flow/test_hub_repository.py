"""A found network as a repository of the Hugging Face hub, read by the hub's own library."""

import io
import json
import zipfile
from pathlib import Path

import onnxruntime
import pytest
import yaml

from search_server.db.models import JobRow
from search_server.db.session import Database
from search_server.exports.model_card import _plain, model_card
from search_server.resources.found_networks import FoundArchitecture, Role
from search_server.searches.searches import export_name, hub_export
from search_server.store import Store
from tests.flow.shelf import FEW, request, run


@pytest.fixture
def repository(shelf: Database, tmp_path: Path) -> dict[str, bytes]:
    search = run(shelf, tmp_path, request(**FEW, compare_baselines=False))
    job_id = search.job.job_id
    with shelf.transaction() as session:
        job = session.get_one(JobRow, job_id)
        content = hub_export(Store.at(tmp_path), job)
        assert content is not None
        assert hub_export(Store.at(tmp_path), job) == content  # no date in it
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    assert files["onnx/model.onnx"] == Store.at(tmp_path).read(export_name(job_id, "onnx"))
    assert search.result is not None
    files["accuracy"] = json.dumps(search.result.test_accuracy).encode()
    return files


def test_its_files_lie_where_the_hub_s_programs_look(repository: dict[str, bytes]) -> None:
    assert set(repository) - {"accuracy"} == {
        ".gitattributes",
        "README.md",
        "config.json",
        "model.tflite",
        "ncnn/description.json",
        "ncnn/network.bin",
        "ncnn/network.param",
        "network.pt",
        "network.py",
        "onnx/model.onnx",
        "preprocessor_config.json",
    }
    config = json.loads(repository["config.json"])
    metadata = onnxruntime.InferenceSession(repository["onnx/model.onnx"]).get_modelmeta()
    one, other = json.loads(metadata.custom_metadata_map["class_names"])
    assert config["id2label"] == {"0": one, "1": other}
    assert config["label2id"] == {one: 0, other: 1}
    processor = json.loads(repository["preprocessor_config.json"])
    assert processor["crop_size"] == {"height": 16, "width": 16}
    assert processor["do_normalize"] is False


def test_the_card_tells_the_accuracy_to_programs(repository: dict[str, bytes], tmp_path: Path) -> None:
    card = repository["README.md"].decode()
    _, head, body = card.split("---\n", 2)
    metadata = yaml.safe_load(head)
    assert metadata["pipeline_tag"] == "image-classification"
    (result,) = metadata["model-index"][0]["results"]
    assert result["metrics"][0]["value"] == json.loads(repository["accuracy"])
    assert "| onnx fp32 |" in body
    hub = pytest.importorskip("huggingface_hub", reason="not installed: pip install huggingface_hub")
    path = tmp_path / "README.md"
    path.write_bytes(repository["README.md"])
    (read,) = hub.ModelCard.load(path).data.eval_results
    assert (read.metric_type, read.metric_value) == ("accuracy", json.loads(repository["accuracy"]))


@pytest.mark.parametrize(("role", "is_told"), [("found", False), ("most_macs", True)])
def test_the_card_says_where_the_table_alone_gave_the_network(role: Role, is_told: bool) -> None:
    network = FoundArchitecture(role, "skip,skip", 10, 20, 900.0)
    about = {"space": "fbnet-tiny", "class_names": ["a", "b"], "resolution": 32}
    card = model_card(network, about, "digits", ())
    assert ("by the latency table of the device alone" in card) == is_told


def test_names_that_others_chose_stay_words() -> None:
    assert _plain("a|b *c*\n# <img>") == r"a\|b \*c\* \# \<img\>"
