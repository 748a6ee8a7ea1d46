"""The table of how each kind of error is answered, held to the kinds that there are."""

import pytest

from cobrowse.errors import Overloaded, error_types_by_code
from cobrowse.model import Failure
from web.error_responses import ERROR_RESPONSES, hint_of, status_of


def test_every_kind_has_its_answer_and_every_answer_its_kind_in_one_order():
    assert list(ERROR_RESPONSES) == list(error_types_by_code())


@pytest.mark.parametrize("code", ERROR_RESPONSES)
def test_an_answer_is_a_failure_and_says_what_helps(code):
    status, hint = ERROR_RESPONSES[code]
    assert 400 <= status <= 504
    assert hint.strip() == hint != ""
    assert hint.endswith(".")


def test_an_error_and_what_the_ledger_keeps_of_it_are_answered_alike():
    kept = Failure("overloaded", "x", "", retryable=True, is_terminal=False)
    assert status_of(Overloaded("x")) == status_of(kept) == ERROR_RESPONSES["overloaded"].status
    assert hint_of(Overloaded("x")) == hint_of(kept) == ERROR_RESPONSES["overloaded"].hint


def test_a_hint_of_the_case_itself_comes_before_its_kinds():
    assert hint_of(Overloaded("x", hint="Wait for the deployment to end.")) == "Wait for the deployment to end."
