"""Files of a Ray cluster: the pinned version, a token everywhere, no dashboard for others."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
MANIFESTS = ROOT / "deploy" / "kubernetes"


def documents(name: str) -> list[Any]:
    return list(yaml.safe_load_all((MANIFESTS / name).read_text()))


def ray_pods() -> Iterator[Any]:
    (cluster,) = documents("ray-cluster.yaml")
    for group in (cluster["spec"]["headGroupSpec"], *cluster["spec"]["workerGroupSpecs"]):
        yield group["template"]["spec"]


def test_the_cluster_has_the_pinned_version_of_ray() -> None:
    (cluster,) = documents("ray-cluster.yaml")
    pins = (ROOT / "constraints.txt").read_text().split()
    assert f"ray=={cluster['spec']['rayVersion']}" in pins


def test_every_container_of_a_cluster_asks_for_a_token() -> None:
    for pod in ray_pods():
        for container in pod["containers"]:
            given = {each["name"]: each for each in container["env"]}
            assert given["RAY_AUTH_MODE"]["value"] == "token"
            assert given["RAY_AUTH_TOKEN"]["valueFrom"]["secretKeyRef"]["name"] == "edgenas-ray"
    services = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
    nodes = [service for service in services.values() if "ray" in service.get("profiles", ())]
    assert len(nodes) == 2
    for node in nodes:
        assert node["environment"]["RAY_AUTH_MODE"] == "token"
        assert node["environment"]["RAY_AUTH_TOKEN"] == "${RAY_AUTH_TOKEN:-}"
        assert "ports" not in node
    assert services["ray-node"]["deploy"]["replicas"] == 2


def test_dashboards_listen_on_loopback_only() -> None:
    (cluster,) = documents("ray-cluster.yaml")
    assert cluster["spec"]["headGroupSpec"]["rayStartParams"]["dashboard-host"] == "127.0.0.1"
    assert "--dashboard-host=127.0.0.1" in (ROOT / "docker-compose.yml").read_text()


def test_the_manifests_fit_the_schemas_of_kubernetes() -> None:
    checker = pytest.importorskip("kubernetes_validate", reason="pip install kubernetes-validate")
    pods = [
        {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "x"}, "spec": pod} for pod in ray_pods()
    ]
    for document in (*documents("edgenas.yaml"), *pods):
        assert checker.validate(document, "1.32", strict=True) == "1.32"
