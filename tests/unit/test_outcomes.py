"""What an attempt that waited for another answers: the other's outcome, under its own name."""

import pytest

from cobrowse.flow import Attempt
from cobrowse.model import Failure, Outcome, Secret, Session, Status
from cobrowse.outcomes import joined_outcome, visible_session
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


SECRETS = {name: Secret(name) for name, value in Session()._asdict().items() if isinstance(value, Secret)}


@pytest.mark.parametrize("owner", [None, command(credential="bob"), command(sender="other", credential="ada")])
def test_what_opens_a_session_is_shown_to_the_credential_that_started_it_alone(owner):
    mine, session = command(credential="ada"), Session("c-1", "s-1", state="joined", **SECRETS)
    assert visible_session(mine, session, mine) == session
    assert visible_session(mine, session, owner) == Session("c-1", "s-1", state="joined")
