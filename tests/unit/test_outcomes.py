"""What an attempt that waited for another answers: the other's outcome, under its own name."""

import pytest

from cobrowse.flow import Attempt
from cobrowse.model import Failure, Outcome, Session, Status
from cobrowse.outcomes import joined_outcome
from tests.clocks import ManualClock
from tests.scripted import command, ended

FAILURE = Failure("genesys_unavailable", "it is away", "", retryable=True, is_terminal=False)


@pytest.mark.parametrize(("action", "status"), [("start", Status.JOINED), ("end", Status.ALREADY_ENDED)])
def test_what_another_has_done_is_joined_and_what_it_has_ended_is_ended_already(action, status):
    attempt = Attempt(command(action=action, correlation_id="mine"), "i", "owner", ManualClock())
    outcome = joined_outcome(ended(), attempt)
    assert (outcome.status, outcome.correlation_id, outcome.upstream_calls) == (status, "mine", 0)
    failed = Outcome(Status.FAILED, "theirs", "their-corr", Session(), failure=FAILURE)
    assert joined_outcome(ended(outcome=failed), attempt).status is Status.FAILED
