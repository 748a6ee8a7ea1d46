"""What every kind of error brings with it, and which of them leave a key free for another try."""

import pytest

from cobrowse.errors import (
    CobrowseError,
    ConversationNotActive,
    GenesysError,
    GenesysForbidden,
    GenesysTimeout,
    GenesysUnauthorized,
    GenesysUnavailable,
    error_types_by_code,
)

# Whoever corrects the cause, or comes a moment later, must get through with the same key.
FREE = {
    "rate_limited",
    "rate_limit_storage_unavailable",
    "no_active_conversation",
    "initiation_not_found",
    "genesys_unauthorized",
    "genesys_forbidden",
    "user_token_required",
    "service_user_login_required",
    "agent_not_connected",
    "overloaded",
    "internal_error",
}
RETRYABLE = {
    "keys_unavailable",
    "request_timeout",
    "rate_limited",
    "rate_limit_storage_unavailable",
    "genesys_rate_limited",
    "genesys_unavailable",
    "genesys_timeout",
    "genesys_bad_response",
    "agent_not_connected",
    "in_progress",
    "ledger_unavailable",
    "overloaded",
}


def test_which_errors_a_retry_can_fix_and_which_leave_the_key_free():
    assert {code for code, kind in error_types_by_code().items() if kind.retryable is True} == RETRYABLE
    assert {code for code, kind in error_types_by_code().items() if kind.consumes_idempotency_key is False} == FREE
    assert (
        {kind.retryable for kind in error_types_by_code().values()}
        == {kind.consumes_idempotency_key for kind in error_types_by_code().values()}
        == {True, False}
    )


def test_a_kind_that_says_nothing_of_it_can_not_be_retried_and_consumes_its_key():
    assert (CobrowseError.retryable, CobrowseError.consumes_idempotency_key) == (False, True)


@pytest.mark.parametrize("kind", error_types_by_code().values(), ids=error_types_by_code())
def test_an_error_has_its_message_and_no_remedy_or_wait_of_its_own_unless_told(kind):
    error = kind("what has happened")
    assert (str(error), error.message) == ("what has happened", "what has happened")
    assert (error.hint, error.retry_after) == ("", None)
    told = kind("x", hint="another remedy", retry_after=3.0)
    assert (told.hint, told.retry_after) == ("another remedy", 3.0)


def test_an_error_of_genesys_is_certain_unless_told():
    assert GenesysTimeout("x").ambiguous is False
    error = GenesysUnavailable("x", hint="wait", retry_after=2.0, ambiguous=True)
    assert (error.ambiguous, error.hint, error.retry_after) == (True, "wait", 2.0)
    assert (error.refused, GenesysUnavailable("x", refused=True).refused) == (False, True)


def test_a_kind_is_found_by_its_code_and_a_family_is_none():
    assert error_types_by_code()["conversation_not_active"] is ConversationNotActive
    assert GenesysError not in error_types_by_code().values()
    assert all(code == kind.code for code, kind in error_types_by_code().items())
    assert len(error_types_by_code()) == 36


def test_a_refusal_is_by_role_and_a_token_worth_another_try_unless_what_refuses_says_otherwise():
    assert GenesysForbidden("x").by_role is True
    assert GenesysUnauthorized("x").new_token is True


def test_words_that_are_added_are_in_all_that_an_error_says():
    error = GenesysTimeout("it timed out")
    error.append("; asked again")
    assert error.message == "it timed out; asked again"
    assert str(error) == error.message
