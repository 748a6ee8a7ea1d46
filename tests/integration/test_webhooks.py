"""Every sender, through the app on the sandbox: signed, read, started once, and told what makes it do right."""

import json
import re
import threading
from datetime import UTC, datetime

import pytest

from sandbox.state import ABSENT, EMAIL, ENDED, LIVE, LIVE_SESSION, VOICE, WEBCHAT
from tests.integration.deliveries import KEYS, RELAY, bridge, deliver, senders

__all__ = ["bridge", "deliver", "senders"]


def crm(conversation=WEBCHAT, **data):
    return {"type": "cobrowse.wanted", "data": {"conversationId": conversation, **data}}


def user_start(conversation=WEBCHAT, event="e-1", media="CHAT", topic="user.start"):
    return {
        "id": event,
        "detail-type": f"v2.detail.events.conversation.{{id}}.{topic}",
        "source": "aws.partner/genesys.com/cloud/x/y",
        "detail": {
            "topicName": f"v2.detail.events.conversation.{conversation}.{topic}",
            "eventBody": {"conversationId": conversation, "mediaType": media, "userId": "u"},
            "metadata": {},
        },
    }


def test_a_crm_starts_a_session_and_gets_the_flat_answer(deliver, box):
    answer = deliver("crm", crm(agent="Ann"))
    assert (answer.status_code, list(answer.json)) == (200, KEYS)
    assert answer.json["status"] == "initiated"
    assert box.invitations(WEBCHAT) == 1


def test_the_conversation_is_checked_before_anything_is_created(deliver, box):
    deliver("crm", crm())
    assert [call.operation for call in box.calls()][:3] == ["token", "conversation", "create"]


@pytest.mark.parametrize(("conversation", "code"), [(ABSENT, 422), (ENDED, 422), (EMAIL, 422)])
def test_one_that_cannot_have_cobrowse_is_refused_before_any_session_exists(deliver, box, conversation, code):
    answer = deliver("zendesk-trigger", {"conversation_id": conversation})
    assert 400 <= answer.status_code < 500
    assert answer.json["success"] is False
    assert box.sessions() == []


def test_one_that_has_cobrowse_is_answered_with_it_and_nothing_is_started(deliver, box):
    body = deliver("crm", crm(LIVE)).json
    assert (body["status"], body["success"], body["cobrowseSessionId"]) == ("already_active", True, LIVE_SESSION)
    assert box.sessions() == []


def test_a_redelivery_is_replayed_byte_for_byte(deliver, box):
    first = deliver("eventbridge", user_start())
    again = deliver("eventbridge", user_start())
    assert again.data == first.data
    assert again.headers["Idempotent-Replayed"] == "true"
    assert box.invitations(WEBCHAT) == 1


def test_no_later_state_of_a_conversation_invites_a_customer_who_has_ended_the_session(deliver, box):
    def changed(*agents):
        participants = [{"id": one, "purpose": "agent", "state": state} for one, state in agents]
        body = {"topicName": "v2.users.u.conversations", "eventBody": {"id": WEBCHAT, "participants": participants}}
        return deliver("notifications", body).json

    first = changed(("a", "connected"))
    box.state.disconnect(WEBCHAT, first["mediaId"])
    assert [changed(("a", "connected"))["status"] for _ in range(2)] == ["initiated"] * 2  # the first answer again
    assert box.invitations(WEBCHAT) == 1
    # After a transfer another agent has answered, who may want one.
    assert changed(("a", "disconnected"), ("b", "connected"))["status"] == "initiated"
    assert box.invitations(WEBCHAT) == 2


def test_a_delivery_id_names_the_event_whatever_data_it_has_by_now(deliver, box):
    headers = {"X-Helpdesk-Delivery": "hd-1"}
    first = deliver("helpdesk", {"conversationId": WEBCHAT, "channel": "webchat"}, headers)
    later = deliver("helpdesk", {"conversationId": WEBCHAT, "channel": "webchat", "note": "a later state"}, headers)
    assert (first.json["status"], later.data) == ("initiated", first.data)
    assert later.headers["Idempotent-Replayed"] == "true"


@pytest.mark.parametrize("name", ["make", "zapier", "power-automate"])
def test_a_run_of_an_automation_that_is_about_two_conversations_starts_both(deliver, box, name):
    def call(conversation_id):
        names = ("conversation_id", "conversationId")
        body = {"execution": "run-1", "zap_run": "run-1", **dict.fromkeys(names, conversation_id)}
        return deliver(name, body, {"x-ms-workflow-run-id": "run-1"})

    first, second = call(WEBCHAT), call(VOICE)
    assert [answer.json["conversationId"] for answer in (first, second)] == [WEBCHAT, VOICE]
    assert [box.invitations(one) for one in (WEBCHAT, VOICE)] == [1, 1]
    assert [call(WEBCHAT).data, call(VOICE).data] == [first.data, second.data]
    assert [box.invitations(one) for one in (WEBCHAT, VOICE)] == [1, 1]


def test_a_workflow_of_hubspots_reads_its_wait_in_milliseconds(deliver, box):
    box.faults.add(operation="any", kind="status", status=429, retry_after=40, times="always")
    answer = deliver("hubspot-workflow", {"genesys_conversation_id": WEBCHAT})
    assert (answer.status_code, answer.headers["Retry-After"], answer.json["retryAfterSeconds"]) == (503, "40000", 40)


def test_a_callers_own_key_is_held_to_what_it_came_with_first(deliver, box):
    headers = {"Idempotency-Key": "k-1"}
    assert deliver("helpdesk", {"conversationId": WEBCHAT}, headers).json["status"] == "initiated"
    other = deliver("helpdesk", {"conversationId": VOICE}, headers)
    assert other.json["errorCode"] == "idempotency_key_reused"


SIGNED_IDS = {
    "crm": crm(),
    "zendesk": {
        "id": "z-1",
        "type": "zen:event-type:ticket.created",
        "detail": {"external_id": WEBCHAT},
    },
    "hubspot": [
        {
            "subscriptionId": 2,
            "objectId": 3,
            "occurredAt": 4,
            "propertyName": "genesys_conversation_id",
            "propertyValue": WEBCHAT,
        }
    ],
}


@pytest.mark.parametrize("key", ["another", "é", "${input.key}"])
@pytest.mark.parametrize("name", SIGNED_IDS)
def test_a_header_that_is_not_signed_takes_no_part_where_the_deliverys_id_is(deliver, box, bridge, senders, name, key):
    raw = json.dumps(SIGNED_IDS[name]).encode()
    signed = senders.get(name).sign("POST", f"/webhooks/{name}", raw, datetime.now(UTC)).headers
    headers = {"Content-Type": "application/json", **signed}
    first = bridge.client.post(f"/webhooks/{name}", data=raw, headers=headers)
    again = bridge.client.post(f"/webhooks/{name}", data=raw, headers={**headers, "Idempotency-Key": key})
    assert (first.json["success"], again.data) == (True, first.data)
    assert again.headers["Idempotent-Replayed"] == "true"


UNSIGNED = {
    "Prefer": "status, handling=dry-run",
    "Genesys-Access-Token": "another-token-0123456789",
    "X-Request-Timeout": "1",
    "X-Delivery-Id": "another",
    "X-HTTP-Method-Override": "DELETE",
    "X-MS-Correlation-Request-Id": "another",
    "Idempotency-Key": "another",
}


@pytest.mark.parametrize("query", ["", f"?conversationId={VOICE}&latest=true&dryRun=true&deadlineSeconds=0.1&code=x"])
def test_nothing_that_is_not_signed_changes_what_a_signed_delivery_does(bridge, senders, box, query):
    raw = json.dumps(crm()).encode()
    headers = {"Content-Type": "application/json", **UNSIGNED}
    headers |= senders.get("crm").sign("POST", "/webhooks/crm", raw, datetime.now(UTC)).headers
    answers = [bridge.client.post(f"/webhooks/crm{query}", data=raw, headers=headers) for _ in range(2)]
    assert [answer.json["status"] for answer in answers] == ["initiated", "initiated"]
    assert answers[0].json["conversationId"] == WEBCHAT
    assert (box.invitations(WEBCHAT), box.invitations(VOICE)) == (1, 0)


@pytest.mark.parametrize("name", ["zendesk-trigger", "helpdesk"])
def test_a_callers_own_key_counts_where_no_delivery_id_is_signed(deliver, box, name):
    body = {"conversationId": WEBCHAT, "conversation_id": WEBCHAT}
    ids = {"X-Helpdesk-Delivery": "hd-1", "X-Zendesk-Webhook-Invocation-Id": "zd-1"}
    first = deliver(name, body, {**ids, "Idempotency-Key": "k-1"})
    again = deliver(name, body, dict.fromkeys(ids, "hd-2") | {"Idempotency-Key": "k-1"})
    assert (first.json["success"], again.data) == (True, first.data)


def test_the_same_delivery_id_from_two_senders_is_two_requests(deliver, box):
    deliver("eventbridge", user_start(WEBCHAT, event="same"))
    deliver("zendesk-trigger", {"conversation_id": VOICE}, {"X-Zendesk-Webhook-Invocation-Id": "same"})
    assert (box.invitations(WEBCHAT), box.invitations(VOICE)) == (1, 1)


@pytest.mark.parametrize("event", [{"media": "COBROWSE"}, {"media": "EMAIL"}, {"topic": "customer.start"}])
def test_an_event_that_starts_nothing_is_answered_200_and_kept_on_record(deliver, box, event):
    answer = deliver("eventbridge", user_start(**event))
    assert (answer.status_code, answer.json["status"], answer.json["success"]) == (200, "ignored", False)
    assert answer.json["errorMessage"]
    assert box.calls() == []


def test_a_permanently_bad_event_never_comes_back_185_times(deliver, box):
    for answer in (
        deliver("eventbridge", user_start(ENDED)),
        deliver("eventbridge", user_start("not-a-uuid")),
        deliver("eventbridge", b"{broken"),
        deliver("eventbridge", {"detail-type": "x", "detail": 7}),
    ):
        assert answer.status_code in (200, 400, 422)


def test_a_retryable_failure_is_503_with_retry_after_and_goes_through_on_redelivery(deliver, box):
    box.faults.add(operation="attach", kind="status", status=429, retry_after=30, times=1)
    answer = deliver("eventbridge", user_start())
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "30")
    assert deliver("eventbridge", user_start()).json["status"] == "initiated"
    assert len(box.sessions()) == 1


def test_nothing_is_remembered_before_the_signature_holds(bridge, deliver, box):
    forged = bridge.client.post(
        "/webhooks/crm",
        json=crm(),
        headers={"webhook-id": "w-1", "webhook-timestamp": "1700000000", "webhook-signature": "v1,AAAA"},
    )
    assert (forged.status_code, list(forged.json)) == (401, KEYS)
    assert deliver("crm", crm(), {}).json["status"] == "initiated"


def test_a_senders_secret_opens_no_other_senders_url(bridge, senders):
    body = json.dumps(crm()).encode()
    signed = senders.get("zendesk").sign("POST", "/webhooks/zendesk", body, datetime.now(UTC))
    for name in ("crm", "github", "zendesk-trigger", "helpdesk"):
        answer = bridge.client.post(
            f"/webhooks/{name}", data=body, headers={"Content-Type": "application/json", **signed.headers}
        )
        assert answer.status_code == 401


def test_an_unknown_sender_is_404_and_the_data_actions_name_is_no_webhook(bridge):
    assert bridge.client.post("/webhooks/nobody", json={}).status_code == 404
    assert bridge.client.post("/webhooks/architect", json={}).status_code == 404


def test_a_senders_rate_is_held_with_429_and_retry_after(service):
    rows = '[senders.relay]\nsignature = "bearer"\nsecrets = ["$RELAY"]\nenvelope = "custom"\nrate_limit = "2/minute"\n'
    client = service(environ=RELAY, rows=rows).client
    headers = {"Authorization": f"Bearer {RELAY['RELAY']}"}
    answers = [client.post("/webhooks/relay", json={"conversationId": WEBCHAT}, headers=headers) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert answers[2].json["errorCode"] == "rate_limited"
    assert 0 < int(answers[2].headers["Retry-After"]) <= 60
    assert client.post("/webhooks/relay", json={}, headers={"Authorization": "Bearer no"}).status_code == 401


def test_a_sender_told_by_body_always_gets_200(service):
    rows = '[senders.relay]\nsignature = "bearer"\nsecrets = ["$RELAY"]\nenvelope = "custom"\nalways_200 = true\n'
    client = service(environ=RELAY, rows=rows).client
    headers = {"Authorization": f"Bearer {RELAY['RELAY']}"}
    for conversation in (ENDED, "nonsense"):
        answer = client.post("/webhooks/relay", json={"conversationId": conversation}, headers=headers)
        assert (answer.status_code, answer.json["success"]) == (200, False)


def test_a_wrong_senders_file_stops_the_start_with_a_line_for_each_fault(service):
    from settings import SettingsError

    rows = (
        '[senders.a]\nsignature = "zendsk"\nenvelope = "custom"\n'
        '[senders.b]\nsignature = "github"\nsecrets = ["$NOT_SET"]\nenvelope = "custom"\nfilter = "]["\n'
    )
    with pytest.raises(SettingsError) as error:
        service(rows=rows)
    assert len(error.value.errors) >= 3
    assert any("zendsk" in fault and "[senders.a]" in fault for fault in error.value.errors)


def test_fifty_identical_signed_deliveries_at_once_get_one_invitation_and_fifty_equal_answers(bridge, senders, box):
    box.faults.add(operation="attach", kind="delay", seconds=0.2, times=1)
    raw = json.dumps(crm()).encode()
    signed = senders.get("crm").sign("POST", "/webhooks/crm", raw, datetime.now(UTC))
    answers, gate = [], threading.Barrier(50)

    def deliver_one():
        gate.wait()
        headers = {"Content-Type": "application/json", **signed.headers}
        answers.append(bridge.app.test_client().post("/webhooks/crm", data=raw, headers=headers))

    threads = [threading.Thread(target=deliver_one) for _ in range(50)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.data for answer in answers}) == 1
    assert box.invitations(WEBCHAT) == 1


def test_a_name_that_decides_and_comes_twice_starts_nothing(service, box):
    rows = (
        '[senders.relay]\nsignature = "bearer"\nsecrets = ["$RELAY"]\nenvelope = "custom"\n'
        'conversation_id = "data.call"\nfilter = "kind == \'start\'"\n'
    )
    client = service(environ=RELAY, rows=rows).client
    headers = {"Authorization": f"Bearer {RELAY['RELAY']}", "Content-Type": "application/json"}
    for body in (
        f'{{"kind": "start", "data": {{"call": "{WEBCHAT}", "call": "{VOICE}"}}}}',
        f'{{"kind": "stop", "kind": "start", "data": {{"call": "{WEBCHAT}"}}}}',
        f'{{"kind": "start", "data": {{}}, "d\\u0061ta": {{"call": "{WEBCHAT}"}}}}',
    ):
        answer = client.post("/webhooks/relay", data=body, headers=headers)
        assert (answer.status_code, answer.json["errorCode"]) == (422, "invalid_request")
    assert box.invitations() == 0


def test_the_console_shows_each_senders_last_delivery_and_last_refusal_with_its_reason(deliver, bridge):
    deliver("crm", crm())
    bridge.client.post("/webhooks/crm", data=b"{}", headers={"Content-Type": "application/json"})
    deliver("zendesk-trigger", {"conversation_id": "nonsense"})
    bridge.app.extensions["recorder"].flush()
    page = bridge.client.get("/console/senders").get_data(as_text=True)
    table = page[page.index('id="sender-activity"') :]
    table = re.sub(r"</?(?:time|span|code|a)\b[^>]*>", "", table)
    assert re.search(r">crm</th>\s*<td[^>]*>1</td>\s*<td[^>]*>[\w :]+ UTC, initiated</td>\s*<td[^>]*>1</td>", table)
    assert "signature_missing: the header webhook-id is missing or empty" in table
    assert "invalid_request: conversation_id:" in table
