"""The app through WSGI: bad deliveries, signed well, bad data actions, and requests for what isn't there."""

import re
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

from app import create_app
from cobrowse.errors import SignatureInvalid
from cobrowse.model import Secret
from integrations.ledger import connect
from integrations.senders.registry import load_senders
from schemas.data_action import AnswerSchema
from settings import Settings
from tests.robustness import inputs
from tests.robustness.fuzz_parsers import changed
from tests.robustness.happy_path_transport import Obliging
from tests.robustness.parsers import genuine
from tests.robustness.service import EXAMPLE, KEY, PUBLIC, SECRETS
from tests.robustness.tally import Tally, drive

_KEYS = list(AnswerSchema().fields)


def app_in(folder: Path) -> Any:
    """The service in this process, with every sender, on a Genesys that grants everything; no rate is held."""
    rows = folder / "senders.toml"
    rows.write_text(re.sub(r"(?m)^rate_limit = .*$", "", EXAMPLE.read_text()))
    chosen = Settings(
        genesys_api_url="http://127.0.0.1:1",
        genesys_login_url="http://127.0.0.1:1",
        api_keys=Secret(f"hostile:{KEY}"),
        senders_file=str(rows),
        public_base_url=PUBLIC,
        allow_latest=True,
        allow_user_tokens=True,
        deadline_seconds=1.0,
        log_level="ERROR",
        log_format="json",
    )
    ledger = connect(f"sqlite:///{folder}/l.sqlite3", keys=(), retention_seconds=3600)
    return create_app(chosen, ledger=ledger, transport=Obliging(), environ=SECRETS)


def told(answer: Any) -> str:
    """What is wrong with an answer: a 500, or a form that no caller could read."""
    if answer.status_code == 500:
        return f"500: {answer.get_data(as_text=True)[:200]}"
    if answer.mimetype == "application/json" and "errorCode" in (answer.json or {}):
        keys = [key for key in answer.json if key != "results"]
        return "" if keys == _KEYS else f"{answer.status_code} with other keys"
    if answer.status_code >= 400 and answer.mimetype not in ("text/xml", "text/html"):
        return f"{answer.status_code} as {answer.mimetype}"
    return ""


def deliveries(count: int, ends: float, first: int) -> Tally:
    """Bad bodies, signed as each sender signs, through the app."""
    with tempfile.TemporaryDirectory() as folder:
        client = app_in(Path(folder)).test_client()
        found = genuine(load_senders(EXAMPLE, SECRETS, public_base_url=PUBLIC))

        def attempt(case: Any) -> str:
            row, incoming = case
            path = f"/webhooks/{row.name}"
            kind = {"Content-Type": incoming.headers.get("content-type", "application/json")}
            try:
                signed = row.sign("POST", path, incoming.body, datetime.now(UTC), kind)
                headers, target = dict(signed.headers), signed.target(path)
            except (UnicodeDecodeError, SignatureInvalid):  # Standard Webhooks signs text only, Twilio not any form
                headers, target = {}, path
            return told(client.post(target, data=incoming.body, headers={**kind, **headers}))

        return drive(Tally("deliveries"), count, ends, changed(found), attempt, first)


def data_actions(count: int, ends: float, first: int) -> Tally:
    """Bad bodies and headers of a data action, through the app."""
    body = {"conversationId": inputs.CONVERSATION, "channel": "webchat", "requestedBy": "Ann", "sessionSettings": "{}"}
    names = ("Idempotency-Key", "ININ-Correlation-Id", "Prefer", "Content-Type", "Genesys-Access-Token", "X-Api-Key")
    bombs = st.builds(
        lambda place, bomb: place.body(bomb),
        st.sampled_from(inputs.PLACES),
        st.sampled_from(list(inputs.JSON_BOMBS.values())),
    )
    # What a WSGI server hands on: no line breaks and no NUL.
    value = inputs.header_values.map(lambda text: text.replace("\r", "").replace("\n", "").replace("\0", ""))
    headers = st.dictionaries(st.sampled_from(names), value, max_size=2)
    cases = st.tuples(inputs.changed_json(body) | bombs, headers)
    with tempfile.TemporaryDirectory() as folder:
        client = app_in(Path(folder)).test_client()

        def attempt(case: Any) -> str:
            sent = {"X-Api-Key": KEY, "Content-Type": "application/json", **case[1]}
            return told(client.post("/data-actions/cobrowse", data=case[0], headers=sent))

        return drive(Tally("data actions"), count, ends, cases, attempt, first)


def paths(count: int, ends: float, first: int) -> Tally:
    """Paths and methods that lead nowhere, through the app."""
    known_ones = ["data-actions", "cobrowse", "webhooks", "crm", "healthz", "readyz", "metrics", "console", "docs"]
    part = st.sampled_from([*known_ones, "openapi.json", "static", "..", ".", "", "%00", "%2e%2e", "%ff"]) | st.text(
        max_size=8
    )
    method = st.sampled_from(["GET", "POST", "PUT", "DELETE", "HEAD", "OPTIONS", "PATCH", "TRACE", "BREW"])
    query = st.text(st.characters(codec="utf-8"), max_size=20)
    with tempfile.TemporaryDirectory() as folder:
        client = app_in(Path(folder)).test_client()

        def attempt(case: Any) -> str:
            path = "/" + "/".join(case[1])
            # As a server hands it on: each byte a character. The client itself would take //x for a host.
            raw = {"PATH_INFO": path.encode().decode("latin-1"), "QUERY_STRING": case[2].encode().decode("latin-1")}
            with client.open("/", method=case[0], headers={"X-Api-Key": KEY}, environ_overrides=raw) as answer:
                return "" if case[0] == "HEAD" or answer.status_code < 400 else told(answer)

        return drive(Tally("paths"), count, ends, st.tuples(method, st.lists(part, max_size=5), query), attempt, first)
