"""The service answers as the OpenAPI document says, whatever schemathesis makes of it."""

import copy
import itertools
import json

import pytest
from hypothesis import strategies as st

from schemas.texts import CHANNELS, medium_in
from tests.contract.described import DOCUMENT, KEY, OPERATIONS, app, box, build

__all__ = ["app", "box", "build"]


@pytest.fixture(scope="module")
def agree(build, box):
    """Sends an operation's cases to the service, the same at each run, and judges the answers, but for one check.

    schemathesis is imported, and its cases are built, in the process that runs them: at collection every one would.
    """
    import schemathesis
    from schemathesis.checks import CHECKS, load_all_checks
    from schemathesis.generation.feedback import FeedbackSources
    from schemathesis.pytest._test_builder import build_operation_test

    load_all_checks()
    held = st.dictionaries(st.text(max_size=5), st.integers() | st.booleans(), max_size=3)
    schemathesis.openapi.format("json-object", held.map(json.dumps))
    config = schemathesis.Config.from_dict(
        {
            "generation": {"deterministic": True, "max-examples": 10, "database": "none"},
            # 502 is an answer of its own here: Genesys refuses a webchat's attachment to a token of another channel.
            "checks": {"not_a_server_error": {"expected-statuses": ["2xx", "4xx", 502]}},
        }
    )
    narrowed = copy.deepcopy(DOCUMENT)
    [sender, *_] = narrowed["paths"]["/webhooks/{sender}"]["post"]["parameters"]
    sender |= {"schema": {"type": "string", "enum": ["own", "bus"]}, "example": "own"}
    narrowed["paths"]["/webhooks/{sender}"]["post"]["security"] = [{"api-key": []}]
    schema = schemathesis.openapi.from_dict(narrowed, config=config)
    schema.app = build(allow_latest=True, end_media_sessions=True)

    def run(operation_id, but):
        def judge(case):
            apart(case).call_and_validate(headers={"X-Api-Key": KEY}, excluded_checks=[CHECKS.get_one(but)])

        [found] = schema.include(operation_id=operation_id).get_all_operations()
        build_operation_test(
            config=schema.config, operation=found.ok(), test_func=judge, given_kwargs={}, feedback=FeedbackSources()
        )()

    box.options.auto_create = True
    yield run
    box.options.auto_create = False


NUMBER = itertools.count(1)


def sound(key):
    """Whether this is a key as the service takes it."""
    return isinstance(key, str) and bool(key.strip()) and key.isascii() and key.isprintable() and len(key) <= 255


def apart(case):
    """The case, with a key that no other case has: a repeat of a key with another body is refused, and rightly.

    So are two keys that differ, which no schema can say: one stays. Settings that look like JSON as far as a pattern
    can say, and are none, become an empty object. A channel becomes that of the sandbox's conversation.
    """
    # What is drawn for a credential may be drawn for a parameter too, which an error shows: it would seem to leak.
    (case.headers or {}).pop("Authorization", None)
    key = (case.headers or {}).get("Idempotency-Key")
    if sound(key) and len(key) < 240:
        case.headers["Idempotency-Key"] = f"{key}{next(NUMBER)}"
    always_200 = case.body.get("idempotencyKey") if isinstance(case.body, dict) else None
    if sound(always_200):
        if key:
            del case.body["idempotencyKey"]
        elif len(always_200) < 240:
            case.body["idempotencyKey"] = f"{always_200}{next(NUMBER)}"
    settings = case.body.get("sessionSettings") if isinstance(case.body, dict) else None
    if isinstance(settings, str) and settings.strip().startswith("{") and settings.strip().endswith("}"):
        try:
            json.loads(settings)
        except ValueError:
            case.body["sessionSettings"] = "{}"
    channel = case.body.get("channel") if isinstance(case.body, dict) else None
    if isinstance(channel, str) and medium_in(channel) in CHANNELS:
        case.body["channel"] = "CHAT"
    return case


# What the document can't say whole: what a delivery's body must hold is said by the sender's row, and that one of
# several parameters is needed; so a well-formed request may be refused.
NOT_WHOLE = {"receiveDelivery", "listInitiations"}


@pytest.mark.parametrize("operation_id", sorted(OPERATIONS.keys() - NOT_WHOLE))
def test_the_service_and_the_document_agree(agree, operation_id):
    # The service also reads what Architect sends for an input that is not set, and "true" for true.
    agree(operation_id, but="negative_data_rejection")


@pytest.mark.parametrize("operation_id", sorted(NOT_WHOLE))
def test_they_agree_on_what_the_document_cant_say_whole(agree, operation_id):
    agree(operation_id, but="positive_data_acceptance")
