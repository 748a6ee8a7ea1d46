"""The Postman collection: well-formed, complete, free of secrets, and answered as its own tests expect.

Its scripts run in newman, in CI; here its requests are sent with the signatures that the service itself makes.
"""

import json
import re
import uuid
from collections import Counter
from datetime import UTC, datetime

import pytest

from app import create_app
from cobrowse.model import Secret
from commands import demo
from integrations.genesys.transport import CurlTransport
from integrations.ledger import connect
from integrations.senders.auth.schemes import SCHEMES
from sandbox.server import start
from sandbox.state import ABSENT, WEBCHAT
from schemas.data_action import AnswerSchema
from settings import Settings
from tools.api_reference import postman
from tools.api_reference.deliveries import DELIVERIES
from tools.api_reference.export import EXAMPLE, ROOT, example_senders, sandbox_secrets, stale
from tools.api_reference.openapi import document

FOLDER = ROOT / "deploy" / "postman"
COLLECTION = json.loads((FOLDER / "cobrowse-bridge.postman_collection.json").read_text("utf-8"))
SANDBOX = json.loads((FOLDER / "sandbox.postman_environment.json").read_text("utf-8"))
BLANK = json.loads((FOLDER / "cobrowse-bridge.postman_environment.json").read_text("utf-8"))
REQUESTS = [(folder["name"], item) for folder in COLLECTION["item"] for item in folder["item"]]
IDS = [f"{folder}: {item['name']}" for folder, item in REQUESTS]
SENDERS = {sender.name: sender for sender in example_senders()}


def script(item, listen):
    return "\n".join(line for event in item["event"] if event["listen"] == listen for line in event["script"]["exec"])


def test_the_committed_files_are_what_the_code_makes():
    assert stale("postman") == []


def test_it_is_of_collection_version_2_1():
    assert COLLECTION["info"]["schema"] == "https://schema.getpostman.com/json/collection/v2.1.0/collection.json"
    assert set(COLLECTION) == {"info", "item", "variable"}
    assert uuid.UUID(COLLECTION["info"]["_postman_id"])
    assert [folder["name"] for folder in COLLECTION["item"]] == ["Architect engineers", "Webhook senders", "Operators"]


@pytest.mark.parametrize(("folder", "item"), REQUESTS, ids=IDS)
def test_a_request_is_whole_and_tested(folder, item):
    request = item["request"]
    url = request["url"]
    assert set(item) == {"name", "event", "request"}
    assert url["raw"].partition("?")[0] == "/".join([*url["host"], *url["path"]])
    assert url["host"] == ["{{baseUrl}}"]
    tests = script(item, "test")
    assert "the status is" in tests
    if request["method"] == "POST":
        assert "Idempotent-Replayed" in tests
        assert "every key is there, flat" in tests or "<Ack>true</Ack>" in tests
    for event in item["event"]:
        assert event["script"]["type"] == "text/javascript"


def test_no_two_requests_have_one_name():
    assert Counter(IDS).most_common(1)[0][1] == 1


def test_every_variable_is_defined():
    used = set(re.findall(r"\{\{([^${}]+)\}\}", json.dumps(COLLECTION)))
    used |= set(re.findall(r'(?:variables|collectionVariables)\.get\(\\"(\w+)\\"\)', json.dumps(COLLECTION)))
    own = {variable["key"] for variable in COLLECTION["variable"]}
    for environment in (SANDBOX, BLANK):
        assert used <= own | {value["key"] for value in environment["values"]}


def test_every_sender_of_the_example_file_has_a_delivery_and_no_other():
    assert set(DELIVERIES) == set(SENDERS)
    paths = {item["request"]["url"]["path"][1] for folder, item in REQUESTS if folder == "Webhook senders"}
    assert paths == set(SENDERS)


def test_every_scheme_that_signs_the_body_has_a_script_made_of_its_row():
    signing = {sender.name: sender for sender in SENDERS.values() if sender.scheme.covers_body}
    assert {sender.signature for sender in signing.values()} == {
        scheme.name for scheme in SCHEMES.values() if scheme.covers_body
    }
    for name, sender in signing.items():
        [first, *_] = [item for _, item in REQUESTS if item["name"].startswith(f"{name}: ")]
        before = script(first, "prerequest")
        assert sender.auth_config.names[0] in before
        assert sender.auth_config.header in before or sender.signature == "standard-webhooks"


def test_operators_can_ask_whatever_the_document_has():
    gets = {path for path, item in document()["paths"].items() if "get" in item}
    asked = {"/" + "/".join(item["request"]["url"]["path"]) for folder, item in REQUESTS if folder == "Operators"}
    assert asked == gets


def test_the_environment_to_fill_in_holds_no_secret():
    secret = {value["key"] for value in BLANK["values"] if value["type"] == "secret"}
    assert secret == {"apiKey", *(sender.auth_config.names[0] for sender in SENDERS.values())}
    assert all(value["value"] == "" for value in BLANK["values"] if value["type"] == "secret")


def test_the_sandboxs_secrets_are_those_of_its_env_file_and_say_that_they_are():
    lines = (FOLDER / "sandbox.env").read_text("utf-8").splitlines()
    held = dict(line.split("=", 1) for line in lines if not line.startswith("#"))
    assert held.pop("SENDERS_FILE") == EXAMPLE
    assert held.pop("PUBLIC_BASE_URL") == postman.PUBLIC_URL
    assert held == sandbox_secrets()
    values = {value["key"]: value["value"] for value in SANDBOX["values"]}
    for sender in SENDERS.values():
        assert values[sender.auth_config.names[0]] == held[sender.auth_config.names[0]]


def test_the_sandboxs_names_are_those_of_the_demo_and_the_sandbox():
    assert demo.WEBCHAT == WEBCHAT
    assert postman.ABSENT == ABSENT


# --- sent to the service ----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def client(tmp_path_factory):
    transport = CurlTransport()
    ledger = connect(f"sqlite:///{tmp_path_factory.mktemp('ledger')}/l.sqlite3", keys=(), retention_seconds=3600)
    with start(rate_limit=None) as box:
        settings = Settings(
            sandbox=True,
            genesys_api_url=box.url,
            genesys_login_url=box.url,
            api_keys=Secret(f"demo:{postman.SANDBOX_KEY}"),
            senders_file=str(ROOT / EXAMPLE),
            public_base_url=postman.PUBLIC_URL,
            log_level="ERROR",
        )
        yield create_app(settings, ledger=ledger, transport=transport, environ=sandbox_secrets()).test_client()
    ledger.close()
    transport.close()


def filled(text, variables):
    return re.sub(r"\{\{(\w+)\}\}", lambda found: variables[found[1]], text)


@pytest.mark.parametrize("folder", [folder["name"] for folder in COLLECTION["item"]])
def test_the_service_answers_as_the_requests_tests_expect(client, folder):
    """In the collection's order, since "the same again" repeats what stands before it."""
    # What the environment and the scripts set; the ids are new for each run, as they are in Postman.
    variables = {value["key"]: value["value"] for value in SANDBOX["values"]} | {"baseUrl": ""}
    for name, item in REQUESTS:
        if name == folder:
            send(client, variables, item)


def send(client, variables, item):
    """Send one request of the collection, and hold its answer to the request's own tests."""
    request, before, tests = item["request"], script(item, "prerequest"), script(item, "test")
    for name in ("key", "deliveryId"):
        if f'.set("{name}"' in before:
            variables[name] = str(uuid.uuid4())
    if "deliveryNumber" in before:
        variables["deliveryNumber"] = str(uuid.uuid4().int % 10**12)
    headers = {header["key"]: filled(header["value"], variables) for header in request["header"]}
    body = filled(request.get("body", {}).get("raw", ""), variables).encode()
    url = filled(request["url"]["raw"], variables)
    if "crypto-js" in before:
        sender = SENDERS[request["url"]["path"][1]]
        # A repeat is signed anew; what makes it one is the id, which Standard Webhooks signs with the rest.
        when = variables.setdefault(f"{sender.name} {variables['deliveryId']}", datetime.now(UTC))
        headers |= sender.sign("POST", url, body, when).headers
    auth = request.get("auth", {"type": "noauth"})
    parts = {part["key"]: filled(part["value"], variables) for part in auth.get(auth["type"], [])}
    if auth["type"] == "apikey":
        headers[parts["key"]] = parts["value"]
    basic = (parts["username"], parts["password"]) if auth["type"] == "basic" else None

    with client.open(url, method=request["method"], headers=headers, data=body, auth=basic) as answer:
        told = f"{item['name']}: {answer.get_data(as_text=True)}"
        assert answer.status_code == int(re.search(r"the status is (\d+)", tests)[1]), told
        if "every key is there" in tests:
            assert set(answer.json) - {"results"} == set(AnswerSchema().fields), told
            for key, value in re.findall(r"pm\.expect\(answer\.(\w+)\)\.to\.eql\((.+?)\)\);", tests):
                assert answer.json[key] == json.loads(value), told
        if "Idempotent-Replayed" in tests:
            assert ("Idempotent-Replayed" in answer.headers) is ("it is an earlier answer again" in tests), told
