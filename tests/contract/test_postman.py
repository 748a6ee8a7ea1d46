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
from integrations.senders.sample_deliveries import sample_delivery
from sandbox.server import start
from sandbox.state import ABSENT, WEBCHAT
from schemas.answers import AnswerSchema
from settings import Settings
from tools.api_reference import postman
from tools.api_reference.__main__ import EXAMPLE, ROOT, example_senders, sandbox_secrets
from tools.api_reference.openapi import document
from tools.api_reference.postman import prove

FOLDER = ROOT / "deploy" / "postman"
COLLECTION = json.loads((FOLDER / "cobrowse-bridge.postman_collection.json").read_text("utf-8"))
SANDBOX = json.loads((FOLDER / "sandbox.postman_environment.json").read_text("utf-8"))
BLANK = json.loads((FOLDER / "cobrowse-bridge.postman_environment.json").read_text("utf-8"))
REQUESTS = [(folder["name"], item) for folder in COLLECTION["item"] for item in folder["item"]]
IDS = [f"{folder}: {item['name']}" for folder, item in REQUESTS]
SENDERS = {sender.name: sender for sender in example_senders()}


def script(item):
    [event] = item["event"]
    assert (event["listen"], event["script"]["type"]) == ("prerequest", "text/javascript")
    return "\n".join(event["script"]["exec"])


def path_of(item):
    """The parts of a request's path."""
    return item["request"]["url"].partition("?")[0].split("/")[1:]


def expected(item):
    """What the collection's tests expect of this request."""
    first = script(item).partition("\n")[0]
    return json.loads(re.fullmatch(r'pm\.variables\.set\("expected", JSON\.stringify\((.*)\)\);', first)[1])


def test_it_is_of_collection_version_2_1():
    assert COLLECTION["info"]["schema"] == "https://schema.getpostman.com/json/collection/v2.1.0/collection.json"
    assert set(COLLECTION) == {"info", "auth", "item", "event", "variable"}
    assert uuid.UUID(COLLECTION["info"]["_postman_id"])
    assert [folder["name"] for folder in COLLECTION["item"]] == [
        *("Architect engineers", "Sessions", "Webhook senders", "Operators")
    ]


@pytest.mark.parametrize(("folder", "item"), REQUESTS, ids=IDS)
def test_a_request_is_complete_and_tested(folder, item):
    request = item["request"]
    assert set(item) == {"name", "event", "request"}
    assert request["url"].startswith("{{baseUrl}}/")
    wanted = expected(item)
    assert {"status", "type"} <= set(wanted)
    if request["method"] == "POST":
        assert {"answer", "text"} & set(wanted)


def test_the_collections_tests_read_everything_that_is_expected():
    [event] = COLLECTION["event"]
    tests = "\n".join(event["script"]["exec"])
    assert event["listen"] == "test"
    assert {key for _, item in REQUESTS for key in expected(item)} == set(re.findall(r"expected\.(\w+)", tests))


def test_no_two_requests_have_one_name():
    assert Counter(IDS).most_common(1)[0][1] == 1


def test_every_variable_is_defined():
    used = set(re.findall(r"\{\{([^${}]+)\}\}", json.dumps(COLLECTION)))
    used |= set(re.findall(r'(?:variables|collectionVariables)\.get\(\\"(\w+)\\"\)', json.dumps(COLLECTION)))
    own = {variable["key"] for variable in COLLECTION["variable"]} | {"expected"}
    for environment in (SANDBOX, BLANK):
        assert used <= own | {value["key"] for value in environment["values"]}


def test_every_sender_of_the_example_file_has_one_recorded_delivery_as_its_example():
    paths = {path_of(item)[1] for folder, item in REQUESTS if folder == "Webhook senders"}
    assert paths == {name for name, sender in SENDERS.items() if prove(sender)}
    assert set(SENDERS) - paths == {"twilio-flex", "freshchat", "crm-ed25519", "okta"}
    assert all(sample_delivery(name).what for name in SENDERS)


@pytest.mark.parametrize("name", SENDERS)
def test_no_recorded_id_or_time_is_left_in_a_request(name):
    sent = json.dumps([item["request"] for _, item in REQUESTS if item["name"].startswith(f"{name}: ")])
    [event] = sample_delivery(name).expect
    about = event.get("wanted", event)
    kept = [about["conversation_id"], about.get("delivery_id"), "1763974845013", "2026-11-24T09:00:45"]
    assert [one for one in kept if one and one in sent] == []


def test_every_scheme_that_signs_the_body_has_a_script_made_of_its_row():
    signing = {one.name: one for one in SENDERS.values() if one.scheme.covers_body and prove(one)}
    assert {sender.signature for sender in signing.values()} == {
        scheme.name for scheme in SCHEMES.values() if scheme.covers_body
    } - {"twilio", "freshchat", "standard-webhooks-v1a"}
    for name, sender in signing.items():
        [first, *_] = [item for _, item in REQUESTS if item["name"].startswith(f"{name}: ")]
        row = json.loads(re.search(r"const row = (.*);", script(first))[1])
        assert row["secret"] == sender.auth_config.names[0]
        assert (row["header"], row["template"]) == (sender.auth_config.header, sender.auth_config.template)
        assert all(f"{part}:" in script(first) for part in re.findall(r"\{(\w+)\}", row["template"]))


def test_every_operation_of_the_document_is_requested():
    described = {path.split("/")[1] for path in document()["paths"]}
    assert {path_of(item)[0] for _, item in REQUESTS} == described


def test_the_environment_to_fill_in_holds_no_secret():
    secret = {value["key"] for value in BLANK["values"] if value["type"] == "secret"}
    assert secret == {"apiKey", *(sender.auth_config.names[0] for sender in SENDERS.values())}
    assert all(value["value"] == "" for value in BLANK["values"] if value["type"] == "secret")


def test_the_sandboxs_secrets_are_those_of_its_env_file_and_say_that_they_are():
    lines = (FOLDER / "sandbox.env").read_text("utf-8").splitlines()
    held = dict(line.split("=", 1) for line in lines if not line.startswith("#"))
    assert held.pop("SENDERS_FILE") == EXAMPLE
    assert held.pop("PUBLIC_BASE_URL") == postman.PUBLIC_URL
    assert held.pop("END_MEDIA_SESSIONS") == "true"
    assert held == sandbox_secrets()
    values = {value["key"]: value["value"] for value in SANDBOX["values"]}
    for sender in SENDERS.values():
        assert values[sender.auth_config.names[0]] == held[sender.auth_config.names[0]]


def test_the_sandboxs_names_are_those_of_the_demo_and_the_sandbox():
    assert (demo.WEBCHAT, demo.SANDBOX_KEY) == (WEBCHAT, postman.SANDBOX_KEY)
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
            end_media_sessions=True,
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
    started, *_ = (item for name, item in REQUESTS if name == "Architect engineers")
    if folder == "Sessions":
        send(client, variables, started)  # what these ask about
    for name, item in REQUESTS:
        if name == folder:
            send(client, variables, item)


def send(client, variables, item):
    """Send one request of the collection, and compare its response with what the request expects."""
    request, before, wanted = item["request"], script(item), expected(item)
    for name in ("key", "deliveryId"):
        if f'.set("{name}"' in before:
            variables[name] = str(uuid.uuid4())
    if '.set("deliveryTime"' in before:
        variables["deliveryTime"] = datetime.now(UTC).isoformat()
        variables["deliveryNumber"] = str(int(datetime.now(UTC).timestamp() * 1000))
        variables["deliverySeconds"] = variables["deliveryNumber"][:-3]
    headers = {header["key"]: filled(header["value"], variables) for header in request["header"]}
    body = filled(request.get("body", {}).get("raw", ""), variables).encode()
    url = filled(request["url"], variables)
    if "crypto-js" in before:
        sender = SENDERS[path_of(item)[1]]
        # A retry is signed anew; what makes it one is the id, which Standard Webhooks signs with the rest.
        when = variables.setdefault(f"{sender.name} {variables['deliveryId']}", datetime.now(UTC))
        headers |= sender.sign("POST", url, body, when, headers).headers
    auth = request.get("auth", COLLECTION["auth"])
    parts = {part["key"]: filled(part["value"], variables) for part in auth.get(auth["type"], [])}
    if auth["type"] == "apikey":
        headers[parts["key"]] = parts["value"]
    basic = (parts["username"], parts["password"]) if auth["type"] == "basic" else None

    with client.open(url, method=request["method"], headers=headers, data=body, auth=basic) as answer:
        shown = f"{item['name']}: {answer.get_data(as_text=True)}"
        assert answer.status_code == wanted["status"], shown
        assert wanted["type"] in answer.content_type, shown
        assert wanted.get("text", "") in answer.get_data(as_text=True), shown
        if "answer" in wanted:
            assert set(answer.json) >= set(AnswerSchema().fields), shown
            if url.startswith("/data-actions/"):
                variables["initiationId"] = answer.json["initiationId"]
            assert {key: answer.json[key] for key in wanted["answer"]} == wanted["answer"], shown
        if "replayed" in wanted:
            assert ("Idempotent-Replayed" in answer.headers) is wanted["replayed"], shown
