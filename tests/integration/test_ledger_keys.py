"""The traps of changing LEDGER_KEYS: a row that can't be opened is refused by name, and never invites again."""

from functools import partial

import pytest
from cryptography.fernet import Fernet

from cobrowse.model import Secret
from sandbox.state import VOICE, WEBCHAT

OLD, NEW = (Secret(Fernet.generate_key().decode()) for _ in range(2))


@pytest.fixture
def started(service):
    """A service with these keys on the ledger that all of them share."""
    return lambda *keys: service(ledger_keys=keys)


def keyed(key="k-1"):
    return {"headers": {"Idempotency-Key": key, "Prefer": "status"}}


def refused(answer):
    assert (answer.status_code, answer.json["errorCode"]) == (503, "ledger_unavailable")
    assert "LEDGER_KEYS no longer has" in answer.json["errorMessage"]
    assert answer.json["errorHint"].startswith("Put the former key back into LEDGER_KEYS")
    assert not [key for key in (OLD, NEW) if key.reveal() in answer.text]
    return True


@pytest.mark.parametrize(
    ("before", "after"),
    [((OLD,), (NEW, OLD)), ((OLD,), (OLD, NEW)), ((NEW, OLD), (OLD, NEW)), ((OLD, NEW), (NEW, OLD))],
)
def test_a_key_that_is_still_there_opens_in_whatever_order(started, box, before, after):
    first = started(*before).post(conversationId=WEBCHAT, **keyed())
    again = started(*after).post(conversationId=WEBCHAT, **keyed())
    assert (first.json["status"], again.data) == ("initiated", first.data)
    assert box.invitations(WEBCHAT) == 1


TRAPS = {
    "the old key was removed": ((OLD,), (NEW,)),
    "the new one seals before all can open": ((NEW, OLD), (OLD,)),
}


@pytest.mark.parametrize("trap", TRAPS)
def test_a_row_that_cannot_be_opened_is_refused_and_invites_nobody_again(started, box, trap):
    before, after = TRAPS[trap]
    first = started(*before).post(conversationId=WEBCHAT, **keyed())
    unable = started(*after)
    assert refused(unable.post(conversationId=WEBCHAT, **keyed()))
    # Another request of the conversation needs the live session's ids alone, which are in the clear.
    for other in (keyed("another"), {"headers": {"Prefer": "status"}}):
        answer = unable.post(conversationId=WEBCHAT, **other).json
        assert (answer["status"], answer["joinUrl"]) == ("already_active", "")
        assert answer["cobrowseSessionId"] == first.json["cobrowseSessionId"]
    assert box.invitations(WEBCHAT) == 1
    # What the lost key has no part in goes on.
    assert unable.post(conversationId=VOICE, **keyed("voice")).json["success"] is True
    restored = started(*before, *after).post(conversationId=WEBCHAT, **keyed())
    assert (restored.data, box.invitations(WEBCHAT)) == (first.data, 1)


@pytest.mark.parametrize("trap", TRAPS)
def test_a_failed_one_that_cannot_be_opened_is_not_continued(started, box, trap):
    before, after = TRAPS[trap]
    box.faults.add(operation="attach", kind="status", status=429, retry_after=99, times=1)
    assert started(*before).post(conversationId=WEBCHAT, **keyed()).json["retryable"] is True
    assert refused(started(*after).post(conversationId=WEBCHAT, **keyed()))
    assert box.invitations(WEBCHAT) == 0
    assert started(*before, *after).post(conversationId=WEBCHAT, **keyed()).json["status"] == "initiated"
    assert (box.invitations(WEBCHAT), len(box.sessions())) == (1, 1)


def test_two_workers_with_different_keys_invite_once_for_each_request(started, box):
    workers = [started(OLD), started(NEW)]
    for number in range(6):
        conversation = box.add_conversation().id
        send = partial(workers[number % 2].post, conversationId=conversation, **keyed(f"k-{number}"))
        assert send().json["status"] == "initiated"
        assert refused(workers[1 - number % 2].post(conversationId=conversation, **keyed(f"k-{number}")))
        assert send().headers["Idempotent-Replayed"] == "true"
        assert box.invitations(conversation) == 1
    # Neither can open the other's token: each fetches its own, and keeps it.
    assert len(box.calls("token")) == 2
