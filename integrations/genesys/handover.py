"""Hands a session over: into the data of the customer's participant, which stays when agents change."""

from cobrowse.errors import GenesysError
from cobrowse.flow import Attempt, SessionUpdate
from cobrowse.model import SessionState
from integrations.genesys.client import Client
from integrations.genesys.operations import ATTRIBUTES, UpstreamRejected


def hand_over(client: Client, attempt: Attempt, scope: str) -> SessionUpdate:
    """Write the session where agents' scripts and flows read it. The invitation is out, so nothing here is a failure.

    All names are written each time: an empty one takes away what an earlier session has left.
    """
    session = attempt.session
    if not session.customer_id:
        return _hand_over_update("the conversation did not show the customer's participant")
    attributes = {
        "cobrowse.joinUrl": session.join_url.reveal(),
        "cobrowse.viewerUrl": session.viewer_url.reveal(),
        "cobrowse.joinCode": session.join_code.reveal(),
        "cobrowse.initiationId": attempt.initiation_id,
        "cobrowse.state": SessionState.OFFERED.value,
    }
    try:
        client.call(
            attempt,
            ATTRIBUTES,
            scope,
            conversation_id=attempt.command.conversation_id,
            target=(session.customer_id,),
            json={"attributes": attributes},
        )
    except (GenesysError, UpstreamRejected) as error:
        return _hand_over_update(error.message)
    return _hand_over_update("")


def _hand_over_update(error: str) -> SessionUpdate:
    return {"handed_over": not error, "hand_over_error": error}
