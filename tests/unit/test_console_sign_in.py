"""Signing in to the console: names and roles, and that guesses are few."""

import pytest
from marshmallow import ValidationError

from cobrowse.errors import SenderRateLimited
from cobrowse.model import Secret
from console.sign_in import (
    MAX_PER_ADDRESS,
    MAX_PER_NAME,
    MAX_REMEMBERED,
    WINDOW,
    NamedUsers,
    OnePassword,
    SignedIn,
    SignIn,
    Throttle,
)
from schemas.console_users import parse_users
from tests.clocks import ManualClock
from tests.users import quick_row

ANN = quick_row("ann", "operator", "a-password-of-ann")
BOB = quick_row("bob@example.com", "viewer", "a-password-of-bob")


def test_a_user_signs_in_with_the_own_name_and_password_only():
    users = NamedUsers(parse_users([ANN, BOB]))
    for _ in range(2):  # the second time without a hash
        assert users.check("ann", "a-password-of-ann") == SignedIn("ann", "operator")
        assert users.check("bob@example.com", "a-password-of-bob") == SignedIn("bob@example.com", "viewer")
        for name, password in (
            ("ann", "a-password-of-bob"),
            ("ann", ""),
            ("Ann", "a-password-of-ann"),
            ("", "a-password-of-ann"),
            ("nobody", "a-password-of-ann"),
            ("ann", "\udcff"),
        ):
            assert users.check(name, password) is None
    assert (SignedIn("a", "operator").may_act, SignedIn("a", "viewer").may_act) == (True, False)


def test_an_entry_has_no_sign_that_a_shell_or_a_compose_file_changes():
    assert not set(ANN) & set("$ ,'\"\\#`")
    assert "a-password" not in ANN


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ("ann", "entry 1 is not name:role:hash"),
        ("ann:operator:a-plain-password", "entry 1 is not name:role:hash"),
        (ANN.replace("operator", "admin"), "role viewer or operator"),
        (ANN.replace("ann:", "an n:"), "make one"),
        (f"{ANN}x", "entry 1 is not"),
    ],
)
def test_a_wrong_entry_is_named_by_its_number_and_never_shown(row, said):
    with pytest.raises(ValidationError) as caught:
        parse_users([row])
    assert said in str(caught.value)
    assert "password" not in str(caught.value).replace("a password", "")


def test_a_name_has_one_entry():
    with pytest.raises(ValidationError, match="entry 2: the name ann is there before"):
        parse_users([ANN, ANN])


def test_the_one_password_opens_with_any_name():
    one = OnePassword(Secret("secret-of-all"))
    assert one.check("", "secret-of-all") == SignedIn("operator", "operator")
    assert one.check("ann", "secret-of-all") == SignedIn("ann", "operator")
    assert one.check("ann", "secret-of-al") is None


def test_after_a_few_wrong_passwords_not_even_the_right_one_is_looked_at_for_a_while():
    clock = ManualClock()
    sign_in = SignIn(OnePassword(Secret("right")), clock)
    for _ in range(MAX_PER_NAME):
        assert sign_in("203.0.113.9", "ann", "wrong") is None
    with pytest.raises(SenderRateLimited) as caught:
        sign_in("203.0.113.9", "ann", "right")
    assert caught.value.retry_after == WINDOW
    assert sign_in("203.0.113.9", "bob", "right")
    assert sign_in("198.51.100.1", "ann", "right")
    clock.sleep(WINDOW)
    assert sign_in("203.0.113.9", "ann", "right")


def test_right_ones_are_not_counted():
    sign_in = SignIn(OnePassword(Secret("right")), ManualClock())
    for _ in range(3 * MAX_PER_ADDRESS):
        assert sign_in("203.0.113.9", "ann", "right")


def test_an_address_is_limited_whatever_names_it_tries():
    throttle = Throttle(ManualClock())
    for number in range(MAX_PER_ADDRESS):
        throttle.attempt("203.0.113.9", f"name-{number}")
    with pytest.raises(SenderRateLimited):
        throttle.attempt("203.0.113.9", "another")
    throttle.attempt("203.0.113.10", "another")


def test_what_is_remembered_is_bounded():
    throttle = Throttle(ManualClock())
    for number in range(2 * MAX_REMEMBERED):
        throttle.attempt(f"address-{number}", "ann")
    assert len(throttle._counts) == MAX_REMEMBERED
