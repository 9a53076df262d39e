"""Deployment files: valid, hardened, and in words that the services understand."""

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from chassis.config import settings_of
from gateway.config import GatewayConfig
from state_service.config import StateConfig
from vm_service.config import VmConfig

DEPLOY = Path(__file__).parents[3] / "deploy"
BASE = DEPLOY / "k8s/base"
DOCKERFILE = (DEPLOY / "images/Dockerfile").read_text()
COMPOSE = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
KUBERNETES = "1.34"
PORTS = {"gateway": 7001, "vm-service": 7002, "state-service": 7003}


@pytest.fixture(scope="module")
def manifests() -> list[dict[str, Any]]:
    if shutil.which("kubectl") is None:
        pytest.skip("kubectl is not installed")
    command = ["kubectl", "kustomize", str(BASE)]
    built = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert built.returncode == 0, built.stderr
    return list(yaml.safe_load_all(built.stdout))


def workloads(manifests: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    return {item["metadata"]["name"]: item for item in manifests if item["kind"] in ("Deployment", "StatefulSet")}


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_manifests_follow_the_schemas_of_kubernetes(manifests: list[dict[str, Any]]) -> None:
    kubernetes_validate = pytest.importorskip("kubernetes_validate")
    for manifest in manifests:
        kubernetes_validate.validate(manifest, KUBERNETES, strict=True)


def test_every_service_has_a_workload_a_door_and_probes(manifests: list[dict[str, Any]]) -> None:
    kinds = {name: item["kind"] for name, item in workloads(manifests).items()}
    assert kinds == {"gateway": "Deployment", "vm-service": "Deployment", "state-service": "StatefulSet"}
    services = {item["metadata"]["name"]: item["spec"] for item in manifests if item["kind"] == "Service"}
    for name, item in workloads(manifests).items():
        (container,) = item["spec"]["template"]["spec"]["containers"]
        assert container["ports"][0]["containerPort"] == PORTS[name]
        for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
            assert container[probe]["grpc"]["port"] == PORTS[name]
        # Restarting a healthy process because another one is away would only make things worse.
        assert container["livenessProbe"]["grpc"]["service"] == "liveness"
        # A Service lists ready pods only: with the name `submit` a full disk would take the reads away as well.
        assert "service" not in container["readinessProbe"]["grpc"]
        assert services[name]["clusterIP"] == "None"
        assert services[name]["ports"][0]["port"] == PORTS[name]
        selector = services[name]["selector"].items()
        assert selector <= item["spec"]["template"]["metadata"]["labels"].items()


def test_containers_can_do_nothing_but_their_work(manifests: list[dict[str, Any]]) -> None:
    for item in workloads(manifests).values():
        pod = item["spec"]["template"]["spec"]
        (container,) = pod["containers"]
        assert pod["securityContext"]["runAsNonRoot"]
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert not pod["automountServiceAccountToken"]
        assert not pod["enableServiceLinks"]
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        assert container["resources"]["limits"]["memory"]


def test_the_image_has_three_targets_without_root() -> None:
    stages = re.findall(r"^FROM \S+ AS (\S+)", DOCKERFILE, re.MULTILINE)
    assert {"state", "vm", "gateway"} <= set(stages)
    for target in ("state", "vm", "gateway"):
        stage = re.split(r"^FROM ", DOCKERFILE.split(f" AS {target}\n")[1], flags=re.MULTILINE)[0]
        assert "USER 10001:10001" in stage
        assert "HEALTHCHECK" in stage


def test_compose_runs_the_three_targets_hardened() -> None:
    assert {name: service["build"]["target"] for name, service in COMPOSE["services"].items()} == {
        "state": "state",
        "vm": "vm",
        "gateway": "gateway",
    }
    for service in COMPOSE["services"].values():
        assert service["read_only"]
        assert service["cap_drop"] == ["ALL"]
        assert all(port.startswith("127.0.0.1:") for port in service.get("ports", ()))


def test_every_variable_is_a_setting() -> None:
    known = {
        row.variable
        for config, name in ((GatewayConfig, "gateway"), (VmConfig, "vm"), (StateConfig, "state"))
        for row in settings_of(config, name)
    }
    text = "\n".join(path.read_text() for path in DEPLOY.rglob("*") if path.is_file())
    used = set(re.findall(r"V8VM_[A-Z0-9_]+", text.replace("V8VM_<SERVICE>_<FIELD>", "")))
    assert used
    assert used <= known
