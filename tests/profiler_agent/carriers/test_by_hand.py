"""What the documents tell a person to type works: a model's node times from an agent with HTTP alone."""

import hashlib
import json
from pathlib import Path

import httpx
import onnx
from onnx import TensorProto, helper

from tests.profiler_agent.carriers.serving import TOKEN, served

DOCUMENT = Path(__file__).parents[3] / "docs/how-to/without-a-server.md"


def small_model() -> bytes:
    """Return a model of two nodes with the input of the documented request."""
    weights = helper.make_tensor("weights", TensorProto.FLOAT, [2, 3, 3, 3], [0.1] * 54)
    graph = helper.make_graph(
        [
            helper.make_node("Conv", ["images", "weights"], ["features"], "first"),
            helper.make_node("GlobalAveragePool", ["features"], ["logits"], "second"),
        ],
        "small",
        [helper.make_tensor_value_info("images", TensorProto.FLOAT, [1, 3, 96, 96])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, [1, 2, 1, 1])],
        [weights],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString())


def test_the_documented_request_gives_node_times(tmp_path: Path) -> None:
    request = json.loads(DOCUMENT.read_text().partition("```json\n")[2].partition("```")[0])
    model = small_model()
    sha256 = hashlib.sha256(model).hexdigest()
    request["items"][0]["artifact"].update(sha256=sha256, size_bytes=len(model))
    request["policy"].update(window_s=0.1, warmup_s=0)
    with served(tmp_path, is_odd=False) as agent:
        url = "http://{}:{}".format(*agent.address)
        headers = {"Authorization": f"Bearer {TOKEN}"}
        with httpx.Client(base_url=url, headers=headers, timeout=None) as client:
            assert client.put(f"/v1/artifacts/{sha256}", content=model).status_code == 204
            answer = client.post("/v1/leases", content=json.dumps(request))
    (line,) = answer.text.splitlines()
    result = json.loads(line)
    assert result["status"] == "ok", result["reason"]
    assert len(result["runs"]["wall_us"]) >= 3
    assert {"Conv", "GlobalAveragePool"} <= {node["op_type"] for node in result["nodes"]}
    assert all(node["wall_us"] for node in result["nodes"])
