"""deploy/kubernetes: held to the API's schemas, and to how the service is probed, stopped and upgraded."""

import shutil
import subprocess

import pytest
import yaml

from cobrowse import __version__
from tests.clocks import HANGS
from tests.contract.processes import COMMAND, DEPLOY, given, seconds_to_finish

FOLDER = DEPLOY / "kubernetes"
KUSTOMIZATION = yaml.safe_load((FOLDER / "kustomization.yaml").read_text())
OBJECTS = {name: yaml.safe_load((FOLDER / name).read_text()) for name in KUSTOMIZATION["resources"]}
PODS = {name: OBJECTS[name]["spec"]["template"]["spec"] for name in ("deployment.yaml", "migration.yaml")}
SERVICE = PODS["deployment.yaml"]["containers"][0]


@pytest.mark.parametrize("name", OBJECTS)
def test_the_api_would_take_it(name):
    validator = pytest.importorskip("kubernetes_validate", reason="requirements/dev.txt has it")
    validator.validate(OBJECTS[name], validator.latest_version(), strict=True)


def test_every_file_is_part_of_it_and_the_image_is_this_version():
    files = {path.name for path in FOLDER.iterdir()} - {"kustomization.yaml"}
    assert files == set(OBJECTS)
    assert KUSTOMIZATION["images"] == [{"name": SERVICE["image"], "newTag": __version__}]


@pytest.mark.skipif(not shutil.which("kubectl"), reason="kubectl builds what kustomization.yaml describes")
def test_what_kustomize_builds_is_what_the_api_takes_with_this_version_in_its_namespace():
    validator = pytest.importorskip("kubernetes_validate", reason="requirements/dev.txt has it")
    done = subprocess.run(["kubectl", "kustomize", FOLDER], capture_output=True, text=True, timeout=HANGS, check=False)
    assert done.returncode == 0, done.stderr
    built = {one["kind"]: one for one in yaml.safe_load_all(done.stdout)}
    assert built.keys() == {one["kind"] for one in OBJECTS.values()} | {"ConfigMap"}
    for kind, one in built.items():
        validator.validate(one, validator.latest_version(), strict=True)
        assert kind == "Namespace" or one["metadata"]["namespace"] == KUSTOMIZATION["namespace"]
    # The name that was made of its content stands wherever the settings are read.
    settings = {"configMapRef": {"name": built["ConfigMap"]["metadata"]["name"]}}
    for kind in ("Deployment", "Job"):
        (container,) = built[kind]["spec"]["template"]["spec"]["containers"]
        assert container["image"] == f"cobrowse-bridge:{__version__}"
        assert (settings in container["envFrom"]) is (kind == "Deployment")


def test_two_serve_and_one_may_be_taken_away():
    assert OBJECTS["deployment.yaml"]["spec"]["replicas"] == 2
    assert OBJECTS["disruption-budget.yaml"]["spec"]["maxUnavailable"] == 1
    labels = OBJECTS["deployment.yaml"]["spec"]["template"]["metadata"]["labels"]
    for selector in (
        OBJECTS["deployment.yaml"]["spec"]["selector"]["matchLabels"],
        OBJECTS["disruption-budget.yaml"]["spec"]["selector"]["matchLabels"],
        OBJECTS["service.yaml"]["spec"]["selector"],
    ):
        assert selector.items() <= labels.items()


def test_they_run_the_command_and_the_upgrade_as_the_image_has_them():
    assert SERVICE["args"] == COMMAND
    assert PODS["migration.yaml"]["containers"][0]["args"] == ["cobrowse-bridge", "ledger", "upgrade"]
    assert given("ENTRYPOINT") == []


def test_it_is_probed_where_it_answers_and_may_finish_at_a_stop():
    paths = {name: SERVICE[name]["httpGet"]["path"] for name in ("livenessProbe", "readinessProbe", "startupProbe")}
    assert paths == {"livenessProbe": "/healthz", "readinessProbe": "/readyz", "startupProbe": "/healthz"}
    assert SERVICE["ports"][0]["containerPort"] == 8000
    assert PODS["deployment.yaml"]["terminationGracePeriodSeconds"] > seconds_to_finish() + 5


@pytest.mark.parametrize("name", PODS)
def test_a_pod_has_no_rights_and_no_secret_in_its_file(name):
    pod = PODS[name]
    (container,) = pod["containers"]
    assert given("USER") == [f"{pod['securityContext']['runAsUser']}:{pod['securityContext']['runAsGroup']}"]
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["automountServiceAccountToken"] is False
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert {"secretRef": {"name": "cobrowse-bridge"}} in container["envFrom"]
    assert "env" not in container


def test_the_listener_runs_its_command_twice_with_the_services_rights():
    listener = yaml.safe_load((DEPLOY / "kubernetes-listener.yaml").read_text())
    validator = pytest.importorskip("kubernetes_validate", reason="requirements/dev.txt has it")
    validator.validate(listener, validator.latest_version(), strict=True)
    pod = listener["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    assert listener["spec"]["replicas"] == 2
    assert container["args"][:2] == ["cobrowse-bridge", "listen"]
    for key in ("image", "envFrom", "securityContext"):
        assert container[key] == SERVICE[key]
    assert pod["securityContext"] == PODS["deployment.yaml"]["securityContext"]
    mounted = {one["name"]: one["mountPath"] for one in container["volumeMounts"]}
    assert container["env"][0]["value"] == f"{mounted['senders']}/senders.toml"
