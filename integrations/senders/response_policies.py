"""Response policies: how long each sender waits, on which statuses it redelivers, and which status it gets."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from html import escape

# A 4xx that says "not like this" without inviting another try.
_CLIENT_ERRORS = frozenset(range(400, 500)) - {408, 425, 429}
# The second for a rate of ours that is used up, where the sender is known to take it well.
_LATER, _LATER_OR_SLOWER = (503, 504), (503, 504, 429)
KIB = 1024


def slack(words: str) -> Mapping[str, str]:
    """A message that Slack shows to the person who gave the command, and to nobody else."""
    return {"response_type": "ephemeral", "text": escape(words, quote=False)}


def teams(words: str) -> Mapping[str, str]:
    """A message that Teams shows in the conversation; its texts are read as HTML."""
    return {"type": "message", "text": escape(words)}


@dataclass(frozen=True, slots=True)
class ResponsePolicy:
    """How a sender treats responses. Times are seconds.

    `timeout_seconds`: how long it waits. `default_deadline`: the deadline unless the row sets one.
    `passthrough_statuses`: statuses of permanent failures sent unchanged; others become `final_status`.
    `retry_statuses`: statuses of retryable failures sent unchanged; others become the first. `expects_soap_ack`: it
    reads an Ack in the body instead of the status. `format_message` makes the body with a message that it shows to
    people. `max_body_bytes`: its documented maximum. `max_retry_after`: the longest Retry-After that it honours; longer
    waits are capped. `retry_after_per_second`: 1000 where it reads a Retry-After as milliseconds.
    """

    name: str
    timeout_seconds: float
    default_deadline: float
    passthrough_statuses: frozenset[int] = _CLIENT_ERRORS
    final_status: int = 422
    retry_statuses: tuple[int, ...] = _LATER
    expects_soap_ack: bool = False
    max_body_bytes: int = 256 * KIB
    format_message: Callable[[str], Mapping[str, str]] | None = None
    max_retry_after: int | None = None
    retry_after_per_second: int = 1

    def retry_after(self, seconds: int) -> str:
        """The Retry-After header for a wait of so many seconds."""
        honoured = seconds if self.max_retry_after is None else min(seconds, self.max_retry_after)
        return str(honoured * self.retry_after_per_second)


_TABLE = (
    # Assumed, as most do: redelivered on 5xx and 429.
    ResponsePolicy("default", 10, 8, retry_statuses=_LATER_OR_SLOWER),
    # docs.aws.amazon.com, API destinations: on 401, 407, 409, 429 and 5xx, up to 24 hours and 185 attempts; Retry-After
    # is honoured.
    ResponsePolicy("eventbridge", 5, 4.5, passthrough_statuses=frozenset({400, 422}), retry_statuses=(503,)),
    # Whatever the relay was written to; assumed: on 5xx and 429.
    ResponsePolicy("genesys-notification", 10, 8, retry_statuses=(503,)),
    # developer.genesys.cloud, Open Messaging: five times, five seconds apart.
    ResponsePolicy("open-messaging", 10, 8, retry_statuses=_LATER_OR_SLOWER),
    # developers.hubspot.com: up to ten times in 24 hours, on any failure, and the whole batch each time.
    ResponsePolicy("hubspot", 5, 4.5, passthrough_statuses=frozenset(), final_status=200),
    # knowledge.hubspot.com, a workflow's "send a webhook" action: no retry on a 4xx but 429, whose Retry-After is read
    # as milliseconds.
    ResponsePolicy("hubspot-workflow", 30, 20, retry_statuses=_LATER_OR_SLOWER, retry_after_per_second=1000),
    # Reported, not published: 409 up to three times, 429 and 503 with a Retry-After under a minute, no other 5xx.
    ResponsePolicy(
        "zendesk", 10, 8, passthrough_statuses=_CLIENT_ERRORS - {409}, retry_statuses=(503, 409), max_retry_after=30
    ),
    # Nothing by itself: the flow's fault path decides.
    ResponsePolicy("salesforce-flow", 10, 8, max_body_bytes=1024 * KIB),
    # Resent for 24 hours until the Ack is true; only the status 200 counts.
    ResponsePolicy(
        "salesforce-outbound-message",
        60,
        20,
        passthrough_statuses=frozenset(),
        final_status=200,
        retry_statuses=(200,),
        expects_soap_ack=True,
        max_body_bytes=1024 * KIB,
    ),
    # learn.microsoft.com, Dataverse webhooks: once, on 502, 503 and 504; a synchronous step's failure undoes the user's
    # transaction.
    ResponsePolicy("dataverse", 60, 8),
    # Nothing by itself; a retry policy honours Retry-After.
    ResponsePolicy("servicenow", 30, 8, retry_statuses=_LATER_OR_SLOWER),
    # shopify.dev: eight times in four hours on anything but 2xx, after which the subscription is removed.
    ResponsePolicy("shopify", 5, 4.5, passthrough_statuses=frozenset(), final_status=200, max_body_bytes=2048 * KIB),
    # Nothing by itself; a person can redeliver.
    ResponsePolicy("github", 10, 8),
    # The standard's schedule goes on for days, after which senders switch the endpoint off.
    ResponsePolicy("standard-webhooks", 15, 12, passthrough_statuses=frozenset(), final_status=200),
    # dev.frontapp.com, webhooks: 5 seconds, and nothing is sent again.
    ResponsePolicy("front", 5, 4.5),
    # developers.intercom.com, webhook notifications: once, a minute later; 410 ends the subscription.
    ResponsePolicy("intercom", 5, 4.5, passthrough_statuses=frozenset(), final_status=200),
    # developers.zoom.us, webhooks: 3 seconds; three more times within an hour and a half on 5xx.
    ResponsePolicy("zoom", 3, 2.5),
    # api.slack.com, slash commands: 3 seconds, 200 whatever came of it, and the answer is shown to the person.
    ResponsePolicy("slack", 3, 2.5, frozenset(), final_status=200, retry_statuses=(200,), format_message=slack),
    # learn.microsoft.com, Teams, outgoing webhooks: 5 seconds, and the answer is shown in the conversation.
    ResponsePolicy("teams", 5, 4.5, frozenset(), final_status=200, retry_statuses=(200,), format_message=teams),
    # www.twilio.com/docs/usage/webhooks: 15 seconds, and by itself one more try when no connection was made.
    ResponsePolicy("twilio", 15, 8),
    # learn.microsoft.com, Event Grid, delivery and retry: 30 seconds; no retry on 400, 401 and 413, else for 24 hours.
    ResponsePolicy(
        "event-grid",
        30,
        12,
        passthrough_statuses=frozenset({400, 401, 413}),
        final_status=400,
        max_body_bytes=1024 * KIB,
    ),
    # docs.aws.amazon.com, SNS, HTTP/S delivery policies: 15 seconds; a 4xx but 429 is final, 5xx comes for hours.
    ResponsePolicy("sns", 15, 12, retry_statuses=_LATER_OR_SLOWER),
    # desk.zoho.com, webhooks: 5 seconds; 410 removes the subscription.
    ResponsePolicy("zoho-desk", 5, 4.5, passthrough_statuses=_CLIENT_ERRORS - {410}),
    # For a caller who would rather see each error kind's own status.
    ResponsePolicy("as-is", 60, 10, passthrough_statuses=frozenset(range(400, 600)), retry_statuses=()),
)

RESPONSE_POLICIES: Mapping[str, ResponsePolicy] = {response_policy.name: response_policy for response_policy in _TABLE}


def status_for(response_policy: ResponsePolicy, status: int, retryable: bool) -> int:
    """The HTTP status sent to this sender for a failure with that status."""
    if retryable:
        known = response_policy.retry_statuses
        return status if not known or status in known else known[0]
    return status if status in response_policy.passthrough_statuses else response_policy.final_status


def batch_status(response_policy: ResponsePolicy, failures: Sequence[tuple[int, bool] | None]) -> int:
    """The HTTP status for a batch: of each event None if it went well, else its status and whether a retry can help.

    A batch is redelivered if a retry can fix any of it: completed events are then answered from the ledger. Else it is
    200 where some went well.
    """
    failed = [failure for failure in failures if failure is not None]
    retryable_failure = next((failure for failure in failed if failure[1]), None)
    if retryable_failure is None and len(failed) < len(failures):
        return 200
    return status_for(response_policy, *(retryable_failure or failed[0])) if failed else 200


def acknowledgement(*, accepted: bool) -> bytes:
    """The SOAP Ack of a Salesforce outbound message; with `false` Salesforce redelivers for 24 hours."""
    return (
        b'<soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/"><soapenv:Body>'
        b'<notificationsResponse xmlns="http://soap.sforce.com/2005/09/outbound">'
        b"<Ack>" + (b"true" if accepted else b"false") + b"</Ack>"
        b"</notificationsResponse></soapenv:Body></soapenv:Envelope>"
    )


ACKNOWLEDGEMENT_TYPE = "text/xml; charset=utf-8"
