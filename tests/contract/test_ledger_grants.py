"""The service user's login, on both engines: one pair is in force, and only its own successor takes its place."""

import pytest
from cryptography.fernet import Fernet

from cobrowse.model import Secret
from tests.clocks import HANGS
from tests.contract.ledgers import execute, pass_time, together

ADA = {"account": "ada@example.com", "org": "Acme"}


@pytest.fixture
def logged_in(ledger):
    ledger.grants.log_in("g", Secret("access-1"), Secret("refresh-1"), 3600.0, **ADA)
    return ledger


def test_a_login_is_read_by_all_and_unreadable_in_the_database(logged_in, url, opened):
    found = opened(url).grants.read("g")
    assert (found.access.reveal(), found.refresh.reveal(), found.version, found.refused) == (
        "access-1",
        "refresh-1",
        1,
        "",
    )
    assert (found.account, found.org, found.lifetime) == ("ada@example.com", "Acme", 3600.0)
    assert 3600 - HANGS < found.seconds_left <= 3600
    assert isinstance(found.refresh, Secret)
    assert logged_in.grants.read("another") is None
    held = str(execute(url, "SELECT * FROM grants"))
    assert "ada@example.com" in held
    assert "access-1" not in held
    assert "refresh-1" not in held


def test_of_16_threads_one_renews(logged_in):
    begun = together(16, lambda number: logged_in.grants.begin_rotation("g", f"h-{number}", 5.0, 1))
    assert sum(begun) == 1


def test_a_renewed_pair_takes_the_place_of_the_one_it_was_had_for_once(logged_in):
    assert logged_in.grants.begin_rotation("g", "a", 5.0, 1)
    assert logged_in.grants.rotate("g", 1, Secret("access-2"), Secret("refresh-2"), 60.0)
    assert not logged_in.grants.rotate("g", 1, Secret("access-x"), Secret("refresh-x"), 60.0)

    found = logged_in.grants.read("g")
    assert (found.access.reveal(), found.refresh.reveal(), found.version, found.lifetime) == (
        "access-2",
        "refresh-2",
        2,
        60.0,
    )
    assert found.account == "ada@example.com"
    assert not logged_in.grants.begin_rotation("g", "b", 5.0, 2)
    logged_in.grants.release("g", "a")
    assert not logged_in.grants.begin_rotation("g", "b", 5.0, 1)
    assert logged_in.grants.begin_rotation("g", "c", 5.0, 2)


def test_a_process_that_dies_or_fails_leaves_the_renewal_to_another(logged_in, url):
    assert logged_in.grants.begin_rotation("g", "dead", 30.0, 1)
    pass_time(url, 30.0)
    assert logged_in.grants.begin_rotation("g", "a", 5.0, 1)
    logged_in.grants.release("g", "dead")
    assert not logged_in.grants.begin_rotation("g", "b", 5.0, 1)
    logged_in.grants.release("g", "a")
    assert logged_in.grants.begin_rotation("g", "b", 5.0, 1)


def test_a_refused_login_is_renewed_by_nobody_until_a_pair_had_for_it_comes_late_or_someone_logs_in(logged_in):
    logged_in.grants.refuse("g", 1, "invalid_grant")
    assert logged_in.grants.read("g").refused == "invalid_grant"
    assert not logged_in.grants.begin_rotation("g", "a", 5.0, 1)

    assert logged_in.grants.rotate("g", 1, Secret("access-2"), Secret("refresh-2"), 60.0)
    assert logged_in.grants.read("g").refused == ""

    logged_in.grants.refuse("g", 2, "invalid_grant")
    logged_in.grants.log_in("g", Secret("access-3"), Secret("refresh-3"), 60.0, **ADA)
    found = logged_in.grants.read("g")
    assert (found.refused, found.version, found.refresh.reveal()) == ("", 3, "refresh-3")


def test_who_comes_late_neither_refuses_nor_replaces_a_newer_login(logged_in):
    logged_in.grants.log_in("g", Secret("access-2"), Secret("refresh-2"), 60.0, **ADA)
    logged_in.grants.refuse("g", 1, "invalid_grant")
    assert not logged_in.grants.rotate("g", 1, Secret("late"), Secret("late"), 60.0)
    found = logged_in.grants.read("g")
    assert (found.refresh.reveal(), found.refused) == ("refresh-2", "")


def test_after_a_logout_there_is_nothing_and_a_late_pair_brings_nothing_back(logged_in):
    assert logged_in.grants.log_out("g")
    assert not logged_in.grants.log_out("g")
    assert logged_in.grants.read("g") is None
    assert not logged_in.grants.rotate("g", 1, Secret("late"), Secret("late"), 60.0)
    logged_in.grants.log_in("g", Secret("access-2"), Secret("refresh-2"), 60.0, **ADA)
    assert not logged_in.grants.rotate("g", 1, Secret("late"), Secret("late"), 60.0)
    assert logged_in.grants.read("g").refresh.reveal() == "refresh-2"


def test_a_login_that_no_key_decrypts_says_so_and_has_no_token(logged_in, url, opened):
    found = opened(url, keys=(Fernet.generate_key().decode(),)).grants.read("g")
    assert "LEDGER_KEYS" in found.refused
    assert (found.access.reveal(), found.refresh.reveal(), found.seconds_left) == ("", "", 0.0)
