"""The token that workers share, on each engine: one fetches it, all read it."""

from cobrowse.model import Secret
from tests.clocks import HANGS
from tests.contract.ledgers import pass_time, together

# Tokens


def test_a_token_is_read_by_all_once_it_was_put(ledger, url, opened):
    assert ledger.tokens.read("t") is None
    assert ledger.tokens.try_acquire_refresh_lease("t", "a", 5.0, 0)

    put = ledger.tokens.put("t", Secret("token-1"), 600.0)

    read = opened(url).tokens.read("t")
    assert (put.value.reveal(), put.version, put.seconds_left) == ("token-1", 1, 600.0)
    assert (read.value.reveal(), read.version) == ("token-1", 1)
    assert 600 - HANGS < read.seconds_left <= 600
    assert ledger.tokens.read("another") is None


def test_of_16_threads_one_leads(ledger):
    for version in range(5):
        leads = together(
            16,
            lambda number, version=version: ledger.tokens.try_acquire_refresh_lease("t", f"h-{number}", 5.0, version),
        )
        assert sum(leads) == 1
        assert ledger.tokens.put("t", Secret("x"), 60.0).version == version + 1
        ledger.tokens.release("t", f"h-{leads.index(True)}")


def test_nobody_leads_past_a_token_that_is_newer_than_the_stale_one(ledger):
    ledger.tokens.try_acquire_refresh_lease("t", "a", 5.0, 0)
    ledger.tokens.put("t", Secret("token-1"), 60.0)
    assert not ledger.tokens.try_acquire_refresh_lease("t", "b", 5.0, 1)
    ledger.tokens.release("t", "a")

    assert not ledger.tokens.try_acquire_refresh_lease("t", "b", 5.0, 0)
    assert ledger.tokens.try_acquire_refresh_lease("t", "b", 5.0, 1)
    assert not ledger.tokens.try_acquire_refresh_lease("t", "c", 5.0, 1)
    assert ledger.tokens.put("t", Secret("token-2"), -5.0).version == 2
    read = ledger.tokens.read("t")
    assert read.value.reveal() == "token-2"
    assert read.seconds_left < 0


def test_a_failed_fetch_lets_another_lead(ledger):
    assert ledger.tokens.try_acquire_refresh_lease("t", "a", 5.0, 0)
    ledger.tokens.release("t", "not the holder")
    assert not ledger.tokens.try_acquire_refresh_lease("t", "b", 5.0, 0)

    ledger.tokens.release("t", "a")

    assert ledger.tokens.read("t") is None
    assert ledger.tokens.try_acquire_refresh_lease("t", "b", 5.0, 0)


def test_a_dead_leader_is_followed_by_another(ledger, url):
    assert ledger.tokens.try_acquire_refresh_lease("t", "a", 5.0, 0)
    pass_time(url, 5.0)

    assert ledger.tokens.try_acquire_refresh_lease("t", "b", 5.0, 0)


# Notes: what a person is asked to do about a sender.


def test_the_newest_note_about_a_sender_is_read_by_all_and_is_no_token(ledger, url, opened):
    assert ledger.notes.read("sns") == ""
    ledger.notes.save("sns", "open this")
    ledger.notes.save("sns", "open that")
    there = opened(url)
    assert (there.notes.read("sns"), there.notes.read("other"), there.tokens.read("sns")) == ("open that", "", None)


def test_a_note_ends_once_it_no_longer_counts(ledger):
    ledger.tokens.put("note:sns", Secret("open this"), -1.0)
    assert ledger.notes.read("sns") == ""
