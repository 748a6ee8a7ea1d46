"""What the ledger keeps, on each engine: what a person sees of it, what it forgets, what nobody can read."""

import itertools
from dataclasses import replace

import pytest
from cryptography.fernet import Fernet

from cobrowse.errors import LedgerUnavailable
from cobrowse.ledger import State
from cobrowse.model import Secret, Session, Status
from tests.clocks import wait_until
from tests.contract.ledgers import (
    ATTACHED,
    CREATED,
    FIRST,
    INVITING,
    SESSION,
    again,
    claim_of,
    execute,
    failed,
    keyed,
    lease_of,
    pass_time,
    settle,
    together,
    won,
)

# What a person sees


@pytest.fixture
def history(ledger):
    """Six initiations of two senders, the oldest first."""
    claims = [
        keyed(
            number=f"number-{number}",
            key=f"key-{number}",
            sender="crm" if number % 2 else "data-action",
            conversation_id=f"conversation-{number // 2}",
            correlation_id=f"trace-{number}",
        )
        for number in range(6)
    ]
    for number, claim in enumerate(claims):
        won(ledger, claim)
        if number in (0, 1):
            settle(ledger, claim)
        elif number == 2:
            failed(ledger, claim)
    return [claim.id for claim in claims]


def test_the_recent_ones_come_newest_first_and_page_by_page(ledger, history):
    first = ledger.recent(4)
    rest = ledger.recent(4, before_seq=first[-1].seq)

    assert [entry.id for entry in (*first, *rest)] == history[::-1]
    assert first[0].seq > first[1].seq


@pytest.mark.parametrize(
    ("search", "found"),
    [
        ("conversation-1", [3, 2]),
        ("conversation-", [5, 4, 3, 2, 1, 0]),
        ("key-4", [4]),
        ("trace-0", [0]),
        ("number-5", [5]),
        ("onversation", []),
        ("%", []),
        ("", [5, 4, 3, 2, 1, 0]),
    ],
)
def test_a_search_finds_by_the_start_of_any_id(ledger, history, search, found):
    assert [entry.id for entry in ledger.recent(10, search=search)] == [history[number] for number in found]


def test_recent_ones_can_be_chosen_by_state_and_sender(ledger, history):
    assert [entry.id for entry in ledger.recent(10, state=State.FAILED_RETRYABLE)] == [history[2]]
    assert len(ledger.recent(10, sender="crm")) == 3
    assert [entry.id for entry in ledger.recent(10, sender="crm", state=State.SUCCEEDED)] == [history[1]]


# Forgetting


def test_purge_forgets_what_ended_before_the_retention_time_and_nothing_that_is_held(url, opened):
    ledger = opened(url, retention_seconds=600.0, invited_seconds=0.0)
    ended, failure, left = (keyed(key=key) for key in "abc")
    held = keyed(key="held", lease=1200.0)
    for claim in (held, ended, failure, left):
        won(ledger, claim)
    settle(ledger, ended)
    failed(ledger, failure)
    pass_time(url, 601.0)
    young = keyed(key="young")
    won(ledger, young)
    settle(ledger, young)

    assert ledger.purge() == 3

    assert {entry.id for entry in ledger.recent(10)} == {held.id, young.id}
    won(ledger, again(ended))


# What became of a row, and whether an invitation of it may live.
MAY_LIVE = {
    "it succeeded": (lambda ledger, claim: settle(ledger, claim, checkpoint=ATTACHED), True),
    "its call's answer was lost": (lambda ledger, claim: failed(ledger, claim, checkpoint=INVITING), True),
    "its worker died in the call": (lambda ledger, claim: None, True),
    "nothing was sent": (lambda ledger, claim: failed(ledger, claim, checkpoint=FIRST), False),
}


@pytest.mark.parametrize(("end", "kept"), MAY_LIVE.values(), ids=MAY_LIVE)
def test_a_row_whose_invitation_may_live_is_kept_past_a_short_retention(url, opened, end, kept):
    ledger = opened(url, retention_seconds=60.0, invited_seconds=600.0)
    claim = keyed()
    won(ledger, replace(claim, checkpoint=INVITING))
    end(ledger, claim)
    pass_time(url, 61.0)

    assert ledger.purge() == (not kept)

    # Another key's request for the conversation knows of it still.
    later = ledger.claim(keyed(key="later"))
    assert [entry.id for entry in later.history] == [claim.id] * kept


def test_once_no_invitation_can_live_any_more_its_row_goes_too(url, opened):
    ledger = opened(url, retention_seconds=0.0, invited_seconds=600.0)
    claim = keyed()
    won(ledger, claim)
    settle(ledger, claim)
    assert ledger.purge() == 0
    pass_time(url, 601.0)
    assert ledger.purge() == 1


def test_purge_takes_as_many_rounds_as_it_needs(url, opened):
    ledger = opened(url, retention_seconds=0.0, invited_seconds=0.0)
    together(10, lambda _: [settle_new(ledger) for _ in range(45)])
    pass_time(url, 1.0)

    assert ledger.purge() == 450
    assert ledger.recent(1) == ()


def settle_new(ledger):
    claim = claim_of(conversation_id="")
    won(ledger, claim)
    settle(ledger, claim)


def test_a_purge_comes_by_itself_beside_the_claims(url, opened):
    ledger = opened(url, retention_seconds=0.0, invited_seconds=0.0)
    settle_new(ledger)
    pass_time(url, 1.0)
    ledger._purge._claims = 999

    claim = keyed()
    won(ledger, claim)

    wait_until(lambda: len(ledger.recent(2)) == 1)
    assert [entry.id for entry in ledger.recent(2)] == [claim.id]


# Secrets


def secretive(ledger):
    claim = keyed(session_settings={"mask": "very-secret-setting"}, user_token=Secret("very-secret-user-token"))
    won(ledger, claim)
    ledger.save_checkpoint(lease_of(claim), CREATED)
    settle(ledger, claim)
    ledger.tokens.put("t", Secret("very-secret-token"), 60)
    return claim


def test_no_secret_lies_in_the_database_in_the_clear(ledger, url):
    claim = secretive(ledger)

    entry = ledger.read(claim.id)
    assert entry.checkpoint.session.join_code == SESSION.join_code
    held = str(execute(url, "SELECT * FROM initiations", "SELECT * FROM tokens"))
    assert claim.id in held
    assert "very-secret" not in held


def test_no_secret_lies_in_any_of_sqlites_files_in_the_clear(tmp_path, opened):
    ledger = opened(f"sqlite:///{tmp_path}/ledger.sqlite3")
    claim = secretive(ledger)

    held = {file.name: file.read_bytes() for file in tmp_path.iterdir()}

    assert {"ledger.sqlite3", "ledger.sqlite3-wal"} <= set(held)
    assert any(claim.id.encode() in content for content in held.values())
    assert not [name for name, content in held.items() if b"very-secret" in content]


@pytest.mark.parametrize(
    "answered",
    [SESSION._replace(join_url=Secret("https://another")), Session(), SESSION],
    ids=["others", "none", "the same"],
)
@pytest.mark.parametrize("reached", [Session(conversation_id="c-1"), SESSION], ids=["none", "some"])
def test_what_was_reached_and_what_was_answered_keep_secrets_of_their_own(ledger, reached, answered):
    claim = keyed()
    won(ledger, claim)
    settle(ledger, claim, checkpoint=ATTACHED._replace(session=reached), session=answered)
    entry = ledger.read(claim.id)
    assert (entry.checkpoint.session, entry.outcome.session) == (reached, answered)


def test_equal_secrets_under_another_key_are_encrypted_by_that_key(url, opened):
    keys = [Fernet.generate_key().decode() for _ in range(2)]
    for name, key in zip(("first", "second"), keys, strict=True):
        settings = {"mask": "the same"}
        won(opened(url, keys=[key]), keyed(key=name, number=name, conversation_id=name, session_settings=settings))
    for name, key in zip(("first", "second"), keys, strict=True):
        assert opened(url, keys=[key]).read(name).command.session_settings == {"mask": "the same"}


def test_a_new_first_key_encrypts_and_the_former_still_decrypts(url, opened):
    old, new = Fernet.generate_key().decode(), Fernet.generate_key().decode()
    first = secretive(opened(url, keys=[old]))
    rotated = opened(url, keys=[new, old])

    assert rotated.read(first.id).outcome.session == SESSION
    assert rotated.tokens.read("t").value.reveal() == "very-secret-token"
    second = keyed(key="second", session_settings={"mask": "it"})
    won(rotated, second)
    assert opened(url, keys=[new]).read(second.id).command == second.command


def test_what_no_key_opens_is_refused_by_name_and_shown_without_its_secrets(url, opened):
    claim = secretive(opened(url))
    without = opened(url, keys=[Fernet.generate_key().decode()])

    for use in (lambda: without.read(claim.id), lambda: without.claim(again(claim))):
        with pytest.raises(LedgerUnavailable, match="LEDGER_KEYS"):
            use()
    shown = without.recent(1)[0]
    assert (shown.id, shown.outcome.status) == (claim.id, Status.INITIATED)
    assert shown.outcome.session == SESSION._replace(join_url=Secret(), viewer_url=Secret(), join_code=Secret())
    stale = without.tokens.read("t")
    assert (stale.value.reveal(), stale.seconds_left, stale.version) == ("", 0.0, 1)
    assert without.tokens.try_acquire_refresh_lease("t", "h", 5.0, stale.version)
    won(without, keyed(key="another", conversation_id="another"))


def test_a_key_that_was_removed_holds_up_no_request_for_the_conversations_of_its_rows(url, opened):
    first = secretive(opened(url))
    without = opened(url, keys=[Fernet.generate_key().decode()])

    claimed = without.claim(keyed(key="another"))

    # All that a look needs is in the clear: which session, and until when it is offered.
    (known,) = claimed.history
    assert known.id == first.id
    bare = SESSION._replace(join_url=Secret(), viewer_url=Secret(), join_code=Secret())
    assert (known.checkpoint.session, known.checkpoint.invitation) == (bare, "yes")


def test_a_running_request_under_a_key_that_was_removed_is_waited_for(url, opened):
    first = keyed(session_settings={"mask": "it"})
    won(opened(url), first)
    claimed = opened(url, keys=[Fernet.generate_key().decode()]).claim(keyed(key="another"))
    assert [lease.id for lease in claimed.ahead] == [first.id]


def test_sqlite_makes_a_key_of_its_own_that_only_the_service_may_read(tmp_path, opened):
    url = f"sqlite:///{tmp_path}/ledger.sqlite3"
    claim = secretive(opened(url, keys=()))

    file = tmp_path / "ledger.sqlite3.key"
    assert file.stat().st_mode & 0o777 == 0o600
    assert opened(url, keys=()).read(claim.id).outcome.session == SESSION
    given = opened(url)
    assert given.read(claim.id).outcome.session == SESSION, "an older installation key still opens"
    assert sorted(path.name for path in tmp_path.glob("*key*")) == ["ledger.sqlite3.key"]


def test_workers_that_start_at_once_make_one_key(tmp_path, opened):
    url = f"sqlite:///{tmp_path}/ledger.sqlite3"
    stores = [opened(url, keys=()) for _ in range(8)]

    claims = together(8, lambda number: claim_with_settings(stores[number], number))

    for store, claim in itertools.product(stores, claims):
        assert store.read(claim.id).command == claim.command


def claim_with_settings(store, number):
    claim = keyed(key=f"{number}", session_settings={"n": number})
    won(store, claim)
    return claim


@pytest.mark.parametrize("content", [b"", b"no key"])
def test_a_key_file_that_holds_no_key_is_named(tmp_path, opened, content):
    (tmp_path / "ledger.sqlite3.key").write_bytes(content)
    ledger = opened(f"sqlite:///{tmp_path}/ledger.sqlite3", keys=())

    with pytest.raises(LedgerUnavailable, match=r"ledger\.sqlite3\.key can't be used: it holds no Fernet key"):
        ledger.claim(keyed(session_settings={"a": 1}))


def test_a_sample_tells_how_each_of_the_last_seconds_went(ledger, url, history):
    samples = ledger.recent_samples(60.0)
    running = (State.RUNNING, None)
    assert [(sample.state, sample.seconds) for sample in samples] == [
        *[running] * 3,
        *[(entry.state, entry.outcome.seconds) for entry in ledger.recent(10)[3:]],
    ]
    assert [sample.created for sample in samples] == [entry.created for entry in ledger.recent(10)]
    assert {sample.rate_limited for sample in samples} == {0}
    pass_time(url, 60.0)
    assert ledger.recent_samples(60.0) == ()
