"""Chat events by what they say, over either carrier, and how old they may be.

Reported was `user.start` at ringing, and a relayed detail event that was not known. Tried beside them: `acd.end` with
and without a transfer, `customer.start`, `user.end`, the channel's own frames, other media and messengers, and the
age of an event in seconds, in milliseconds, as a text, by the bus, in the future, missing and unreadable.
"""

import json
from datetime import UTC, datetime, timedelta

import pytest

from integrations.senders.payloads.chat_events import moment
from integrations.senders.registry import SendersFileError, load_senders
from integrations.senders.requests import Ignored, SessionRequested, UnverifiedRequest

C = "2f7bf00a-6a1e-4d4c-9d1c-0f4b7a1d2e33"
NOW = datetime(2026, 11, 27, 9, 0, tzinfo=UTC)


def row(envelope, more=""):
    text = f'[senders.one]\nsignature = "bearer"\nsecrets = ["$S"]\nenvelope = "{envelope}"\n{more}'
    return load_senders(text, {"S": "0123456789abcdef"}).get("one")


def read(body, envelope, more="", received=NOW):
    raw = json.dumps(body).encode()
    headers = {"content-type": "application/json"}
    (event,) = row(envelope, more).parse_events(
        UnverifiedRequest("POST", "/webhooks/one", "", headers, raw, received=received)
    )
    return event


def detail(topic="user.start", **body):
    return {
        "topicName": f"v2.detail.events.conversation.{C}.{topic}",
        "version": "2",
        "eventBody": {"conversationId": C, "mediaType": "MESSAGE", "messageType": "WEBMESSAGING", **body},
    }


def bus(topic="user.start", *, time=None, timestamp=None, **body):
    inner = detail(topic, **body) | {"timestamp": timestamp}
    return {"id": "e", "detail-type": f"v2.detail.events.conversation.{{id}}.{topic}", "time": time, "detail": inner}


@pytest.mark.parametrize(("envelope", "wrap"), [("eventbridge", bus), ("genesys-notification", detail)])
def test_a_detail_event_reads_the_same_over_either_carrier(envelope, wrap):
    event = read(wrap(), envelope)
    assert isinstance(event, SessionRequested)
    assert (event.conversation_id, event.channel) == (C, "message")
    assert "starts no session here" in read(wrap("acd.end"), envelope).reason
    transfers = 'topics = ["acd.end"]\nfilter = "(detail.eventBody || eventBody).disconnectType == \'TRANSFER\'"'
    assert isinstance(read(wrap("acd.end", disconnectType="TRANSFER"), envelope, transfers), SessionRequested)
    assert isinstance(read(wrap("acd.end", disconnectType="CLIENT"), envelope, transfers), Ignored)
    assert "can't carry" in read(wrap(mediaType="EMAIL"), envelope).reason
    assert "can't carry" in read(wrap(mediaType="COBROWSE"), envelope).reason
    assert "whatsapp" in read(wrap(messageType="WHATSAPP"), envelope).reason.lower()
    voice = read(wrap(mediaType="VOICE", messageType=None), envelope)
    assert (voice.conversation_id, voice.channel) == (C, "voice")
    assert read(wrap(conversationId=C.upper()), envelope).conversation_id == C
    assert isinstance(read(wrap("acd.end", disconnectType=None), envelope, transfers), Ignored)
    assert isinstance(read(wrap("customer.start"), envelope), Ignored)


@pytest.mark.parametrize(
    "frame",
    [
        {"result": "200", "status": "subscribed"},
        {"topicName": "v2.system.socket_closing", "eventBody": {"message": "x"}},
        {"topicName": "channel.metadata", "eventBody": {"message": "pong"}},
        {"topicName": f"v2.detail.events.conversation.{C}.customer.start", "eventBody": {"conversationId": C}},
        {"topicName": f"v2.detail.events.conversation.{C}.user.end", "eventBody": {"conversationId": C}},
        {},
    ],
)
def test_the_channels_own_frames_and_other_events_start_nothing(frame):
    assert isinstance(read(frame, "genesys-notification"), Ignored)


def test_chat_events_wait_for_an_agent_unless_their_row_says_otherwise():
    for envelope in ("eventbridge", "genesys-notification"):
        assert row(envelope).start_when == "agent_connected"
        assert row(envelope, 'start_when = "customer_connected"').start_when == "customer_connected"
    assert row("custom").start_when == "customer_connected"
    assert row("custom", 'start_when = "agent_connected"').start_when == "agent_connected"
    with pytest.raises(SendersFileError, match="start_when: unknown 'agent_conected'; did you mean 'agent_connected'"):
        row("custom", 'start_when = "agent_conected"')


def ago(seconds):
    return NOW - timedelta(seconds=seconds)


OLD = {
    "by the event's time in ms": {"eventTime": int(ago(3700).timestamp() * 1000)},
    "by the event's time in s": {"eventTime": int(ago(3700).timestamp())},
    "as a text": {"eventTime": str(int(ago(3700).timestamp() * 1000))},
    "by when it was sent": {"timestamp": ago(3700).isoformat().replace("+00:00", "Z")},
    "by when the bus took it": {"time": ago(3700).isoformat()},
    "a year ago": {"eventTime": int(ago(31_000_000).timestamp() * 1000)},
}


@pytest.mark.parametrize("when", OLD.values(), ids=OLD)
def test_an_event_of_more_than_an_hour_ago_starts_nothing(when):
    event = read(bus(**when), "eventbridge")
    assert isinstance(event, Ignored)
    assert "max_age_seconds is 3600" in event.reason
    assert isinstance(read(bus(**when), "eventbridge", "max_age_seconds = 31536000"), SessionRequested)


@pytest.mark.parametrize(
    "when",
    [
        {},
        {"eventTime": int(ago(3500).timestamp() * 1000)},
        {"eventTime": int(ago(-60).timestamp() * 1000)},  # the sender's clock is ahead
        {"eventTime": "soon"},
        {"eventTime": []},
        {"eventTime": True},
        {"eventTime": 1e300},
        {"time": "yesterday"},
        # The event's own time counts, though the bus delivers late.
        {"eventTime": int(ago(60).timestamp() * 1000), "time": ago(9000).isoformat()},
    ],
)
def test_a_young_event_or_one_that_does_not_say_is_not_too_old(when):
    assert isinstance(read(bus(**when), "eventbridge"), SessionRequested)


def test_a_relayed_detail_event_has_an_age_and_a_state_has_none():
    old = detail(eventTime=int(ago(3700).timestamp() * 1000))
    assert "s old" in read(old, "genesys-notification").reason
    agent = {"purpose": "user", "state": "connected"}
    state = {"topicName": "v2.users.x.conversations.calls", "eventBody": {"id": C, "participants": [agent]}}
    assert read(state, "genesys-notification").channel == "voice"


def test_an_envelope_without_times_takes_no_age():
    with pytest.raises(SendersFileError, match="max_age_seconds: the envelope 'custom' has no use for it"):
        row("custom", "max_age_seconds = 60")


def test_a_moment_without_a_zone_is_utc():
    assert moment("2026-11-27T09:00:00") == moment("2026-11-27T09:00:00Z") == NOW
