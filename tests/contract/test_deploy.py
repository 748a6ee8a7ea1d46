"""The image and the compose file: held to their rules, and run as far as one can without a daemon."""

import ast
import contextlib
import fnmatch
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from app import build_ledger
from settings import load_settings
from tests.clocks import HANGS
from tests.contract.processes import (
    BIN,
    COMMAND,
    DEPLOY,
    INSTRUCTIONS,
    ROOT,
    asked,
    clean,
    copied,
    given,
    placed,
    put_image,
    running,
    seconds_to_finish,
)
from tests.ports import free_port

CONVERSATION = "2f7bf00a-6a1e-4d4c-9d1c-0f4b7a1d2e33"
KEY = "compose-key-0123456789abcdef"
LEDGER_KEY = "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="
COMPOSE = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
SERVICES = COMPOSE["services"]
# Those who run the image; the database is somebody else's.
OURS = ("sandbox", "upgrade", "app-1", "app-2")
APPS = ("app-1", "app-2")


# The image


def ignored(path):
    """Whether .dockerignore keeps this from the builder: the last pattern that fits it, or a folder above, decides."""
    out = False
    places = [path, *(str(parent) for parent in Path(path).parents if parent.name)]
    for line in (ROOT / ".dockerignore").read_text().splitlines():
        pattern = line.removeprefix("!")
        if line and not line.startswith("#"):
            also = pattern.removeprefix("**/")
            if any(fnmatch.fnmatch(place, pattern) or fnmatch.fnmatch(place, also) for place in places):
                out = not line.startswith("!")
    return out


def test_the_image_copies_what_there_is_and_the_builder_gets_it():
    for source, _ in copied():
        assert (ROOT / source).exists()
        assert not ignored(source), f"{source} is kept out by .dockerignore"


@pytest.mark.parametrize(
    "path",
    [
        *(".env", ".git/config", "deploy/.env", "ledger.sqlite3", "ledger.sqlite3-wal", "ledger.sqlite3.key"),
        *("tests/conftest.py", "web/__pycache__/edge.cpython-311.pyc", "senders.toml", ".venv/bin/python", "web/.env"),
    ],
)
def test_the_builder_gets_no_secrets_and_nothing_that_the_image_does_not_need(path):
    assert ignored(path)


def test_everything_that_the_service_imports_is_in_the_image():
    there = {source.removesuffix(".py").partition("/")[0] for source, _ in copied()}
    for file in (
        "app.py",
        "cli.py",
        "gunicorn.conf.py",
        *(f"commands/{path.name}" for path in ROOT.glob("commands/*.py")),
    ):
        for node in ast.walk(ast.parse((ROOT / file).read_text())):
            names = [node.module] if isinstance(node, ast.ImportFrom) else []
            names += [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            for top in {name.partition(".")[0] for name in names}:
                assert top in there or not ((ROOT / top).is_dir() or (ROOT / f"{top}.py").exists()), f"{file}: {top}"
    assert {"gunicorn.conf", "sandbox"} <= there


def test_the_images_packages_are_pinned_wheels():
    (install,) = [rest for rest in given("RUN") if "pip install" in rest]
    for option in ("--require-hashes", "--only-binary :all:", "--no-cache-dir", "-r /requirements.txt"):
        assert option in install
    assert not any(word in rest for rest in given("RUN") for word in ("apt", "curl", "wget", "gcc", "git "))
    assert given("ADD") == []


def test_the_images_base_is_named_to_its_release():
    bases = {base.split()[0] for base in given("FROM")}
    assert bases == {"python:3.11-slim-bookworm"}


def test_the_image_runs_without_rights():
    last = max(number for number, (name, _) in enumerate(INSTRUCTIONS) if name == "FROM")
    user = [rest for name, rest in INSTRUCTIONS[last:] if name == "USER"]
    assert user[-1] == "10001:10001"
    assert not any(re.search(r"SECRET|KEY|PASSWORD|TOKEN", rest) for rest in (*given("ENV"), *given("ARG")))


def test_the_image_runs_the_service_and_stops_as_gunicorn_wants():
    assert json.loads(given("CMD")[0]) == COMMAND
    assert any("ln -s /app/cli.py /usr/local/bin/cobrowse-bridge" in rest for rest in given("RUN"))
    assert os.access(ROOT / "cli.py", os.X_OK)
    assert (ROOT / "cli.py").read_text().startswith("#!/usr/bin/env python3\n")
    assert given("STOPSIGNAL") == ["SIGTERM"]


def test_the_images_check_of_health_fails_when_the_service_does(tmp_path):
    (check,) = given("HEALTHCHECK")
    _, code = json.loads(check[check.index("CMD [") + 4 :])[1:]
    port = free_port()
    environment = {"PORT": str(port), "http_proxy": "http://127.0.0.1:9"}
    probe = [sys.executable, "-c", code]
    assert subprocess.run(probe, env=environment, capture_output=True, timeout=HANGS, check=False).returncode != 0
    (tmp_path / "healthz").write_text("ok")
    serve = ("python", "-m", "http.server", "--bind", "127.0.0.1", str(port))
    with running(serve, tmp_path, dict(os.environ), port):
        assert subprocess.run(probe, env=environment, capture_output=True, timeout=HANGS, check=False).returncode == 0
        (tmp_path / "healthz").unlink()
        assert subprocess.run(probe, env=environment, capture_output=True, timeout=HANGS, check=False).returncode != 0


def test_a_linter_finds_nothing_in_the_dockerfile():
    linter = shutil.which("hadolint", path=f"{BIN}:{os.environ['PATH']}")
    if linter is None:
        pytest.skip("hadolint is not installed; the rules above are ours")
    done = subprocess.run([linter, str(DEPLOY / "Dockerfile")], capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout) == (0, "")


# The compose file


def test_the_compose_file_has_two_services_a_database_a_sandbox_an_upgrade_and_a_listener():
    assert list(SERVICES) == ["sandbox", "postgres", "upgrade", "app-1", "app-2", "listen"]
    assert {SERVICES[name]["image"] for name in OURS} == {"cobrowse-bridge:local"}
    build = SERVICES["sandbox"]["build"]
    assert (DEPLOY / build["context"] / build["dockerfile"]).resolve() == DEPLOY / "Dockerfile"


@pytest.mark.parametrize("name", SERVICES)
def test_every_container_is_held_short(name):
    service = SERVICES[name]
    assert service["read_only"] is True
    assert "/tmp" in service["tmpfs"]
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert not {"privileged", "pid", "ipc", "devices", "user"} & service.keys()
    assert name == "postgres" or "cap_add" not in service


@pytest.mark.parametrize("name", APPS)
def test_a_service_reaches_the_sandbox_on_its_own_loopback_and_each_has_its_port(name):
    service, environment = SERVICES[name], SERVICES[name]["environment"]
    assert service["network_mode"] == "service:sandbox"
    assert environment["GENESYS_API_URL"] == environment["GENESYS_LOGIN_URL"] == "http://127.0.0.1:9099"
    assert f"127.0.0.1:{environment['PORT']}:{environment['PORT']}" in SERVICES["sandbox"]["ports"]
    assert "ports" not in service
    assert environment["LEDGER_URL"] == SERVICES["upgrade"]["environment"]["LEDGER_URL"]


def test_the_sandbox_is_on_loopback_and_published_nowhere():
    command = SERVICES["sandbox"]["command"]
    assert command[:2] == ["cobrowse-bridge", "sandbox"]
    assert not {"--host", "--allow-remote"} & set(command)
    assert len({SERVICES[name]["environment"]["PORT"] for name in APPS}) == len(SERVICES["sandbox"]["ports"]) == 2


@pytest.mark.parametrize("name", APPS)
def test_a_service_starts_after_the_upgrade_and_may_finish_at_a_stop(name):
    assert {other: wish["condition"] for other, wish in SERVICES[name]["depends_on"].items()} == {
        "sandbox": "service_healthy",
        "upgrade": "service_completed_successfully",
    }
    assert int(SERVICES[name]["stop_grace_period"].removesuffix("s")) > seconds_to_finish()
    assert SERVICES["upgrade"]["command"] == ["cobrowse-bridge", "ledger", "upgrade"]
    assert SERVICES["upgrade"]["depends_on"]["postgres"]["condition"] == "service_healthy"


def test_the_listener_is_one_more_of_the_services_on_demand_with_the_senders_file():
    listener, app = SERVICES["listen"], SERVICES["app-1"]
    assert (listener["command"], listener["profiles"]) == (["cobrowse-bridge", "listen"], ["listen"])
    assert listener["environment"]["SENDERS_FILE"] == listener["volumes"][0].split(":")[1]
    assert listener["environment"]["LEDGER_URL"] == app["environment"]["LEDGER_URL"]
    assert listener["depends_on"] == app["depends_on"]


def test_no_secret_is_in_the_compose_file():
    for service in SERVICES.values():
        for name, value in service.get("environment", {}).items():
            if re.search(r"SECRET|KEY|PASSWORD|TOKEN", name):
                assert re.fullmatch(r"\$\{\w+:\?[^}]+\}", value)
    assert all(SERVICES[name]["env_file"] == [".env"] for name in ("upgrade", *APPS))
    assert ".env" in (ROOT / ".gitignore").read_text().splitlines()


def test_what_the_compose_file_describes_works(tmp_path, database):
    """The same commands, settings and files as processes: an upgrade, the sandbox, and two services on one database."""
    image = put_image(tmp_path / "app")
    with contextlib.ExitStack() as stack:
        ports = {"9099": free_port(), "8001": free_port(), "8002": free_port()}

        def environment(name):
            said = {key: str(value) for key, value in SERVICES[name].get("environment", {}).items()}
            said = {key: re.sub(r"\b(9099|8001|8002)\b", lambda found: str(ports[found[0]]), said[key]) for key in said}
            said |= {"LEDGER_URL": database, "HOST": "127.0.0.1", "WEB_CONCURRENCY": "1"}
            return clean(API_KEYS=f"demo:{KEY}", LEDGER_KEYS=LEDGER_KEY) | said

        upgrade = placed(SERVICES["upgrade"]["command"], image)
        done = subprocess.run(
            upgrade, cwd=image, env=environment("upgrade"), capture_output=True, text=True, timeout=60, check=False
        )
        assert (done.returncode, done.stderr) == (0, "")
        sandbox = [str(ports.get(word, word)) for word in SERVICES["sandbox"]["command"]]
        stack.enter_context(running(sandbox, image, environment("sandbox"), ports["9099"], "/sandbox/state"))
        for name in APPS:
            stack.enter_context(running(COMMAND, image, environment(name), int(environment(name)["PORT"])))
        body = json.dumps({"conversationId": CONVERSATION})
        headers = {"Content_Type": "application/json", "X_Api_Key": KEY, "Idempotency_Key": "compose-1"}
        first, again = (
            asked(ports[port], "POST", "/data-actions/cobrowse", body, **headers) for port in ("8001", "8002")
        )
        assert json.loads(first[2])["status"] == "initiated"
        assert (again[2], again[1]["Idempotent-Replayed"]) == (first[2], "true")


def test_the_services_accept_what_the_compose_file_tells_them():
    told = SERVICES["app-1"]["environment"].items()
    environ = {name: re.sub(r"\$\{(\w+):\?[^}]+\}", "hex", value) for name, value in told}
    settings = load_settings(environ | {"API_KEYS": f"demo:{KEY}", "LEDGER_KEYS": LEDGER_KEY})
    assert settings.sandbox
    assert build_ledger(settings).location == "the PostgreSQL database cobrowse at postgres:5432"
