"""What each sender does with an answer: how long it waits, on which statuses it sends again, and so what it is told."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

# A 4xx that says "not like this" without inviting another try.
_PLAIN = frozenset(range(400, 500)) - {408, 425, 429}
# The second for a rate of ours that is used up, where the sender is known to take it well.
_LATER, _LATER_OR_SLOWER = (503, 504), (503, 504, 429)
KIB = 1024


@dataclass(frozen=True, slots=True)
class Habit:
    """One sender's way. Times are seconds; `max_body_bytes` is the most that it sends, by its own documents.

    `keeps`: the statuses of final failures that it can be told as they are, any other becomes `final`. `retries`: those
    of failures that a repeat can mend, any other becomes the first. `acknowledges`: it reads an Ack in the body and no
    status.
    """

    name: str
    timeout_seconds: float
    default_deadline: float
    resends_on: str
    keeps: frozenset[int] = _PLAIN
    final: int = 422
    retries: tuple[int, ...] = _LATER
    acknowledges: bool = False
    max_body_bytes: int = 256 * KIB
    # The longest Retry-After that it honours; a longer wait is told as this.
    longest_wait: int | None = None


_TABLE = (
    Habit("default", 10, 8, "not known; taken to be 5xx and 429, as most do", retries=_LATER_OR_SLOWER),
    # docs.aws.amazon.com, API destinations: Retry-After is honoured, up to 24 hours and 185 attempts.
    Habit("eventbridge", 5, 4.5, "401, 407, 409, 429 and 5xx", keeps=frozenset({400, 422}), retries=(503,)),
    Habit("genesys-notification", 10, 8, "whatever the relay was written to; taken to be 5xx and 429", retries=(503,)),
    # developer.genesys.cloud, Open Messaging: five times, five seconds apart.
    Habit("open-messaging", 10, 8, "429, 5xx and timeouts", retries=_LATER_OR_SLOWER),
    # developers.hubspot.com: up to ten times in 24 hours, on any failure, and the whole batch each time.
    Habit("hubspot", 5, 4.5, "any 4xx, any 5xx and timeouts", keeps=frozenset(), final=200),
    # A workflow's "send a webhook" action: longer patience, and no repeat on a 4xx.
    Habit("hubspot-workflow", 30, 20, "429, 5xx and timeouts", retries=_LATER_OR_SLOWER),
    # Reported, not published: 409 up to three times, 429 and 503 with a Retry-After under a minute, no other 5xx.
    Habit(
        "zendesk",
        10,
        8,
        "409, 429 and 503 with a short Retry-After, and timeouts",
        keeps=_PLAIN - {409},
        retries=(503, 409),
        longest_wait=30,
    ),
    Habit("salesforce-flow", 10, 8, "nothing by itself: the flow's fault path decides", max_body_bytes=1024 * KIB),
    # Resent for 24 hours until the Ack is true; no status is looked at but 200.
    Habit(
        "salesforce-outbound-message",
        60,
        20,
        "an Ack that is false, and anything but 200",
        keeps=frozenset(),
        final=200,
        retries=(200,),
        acknowledges=True,
        max_body_bytes=1024 * KIB,
    ),
    # learn.microsoft.com, Dataverse webhooks: once; a synchronous step's failure undoes the user's transaction.
    Habit("dataverse", 60, 8, "502, 503 and 504, once"),
    Habit("servicenow", 30, 8, "nothing by itself; a retry policy honours Retry-After", retries=_LATER_OR_SLOWER),
    # shopify.dev: eight times in four hours on anything but 2xx, after which the subscription is removed.
    Habit(
        "shopify",
        5,
        4.5,
        "anything but 2xx, then the subscription is removed",
        keeps=frozenset(),
        final=200,
        max_body_bytes=2048 * KIB,
    ),
    Habit("github", 10, 8, "nothing by itself; a person can redeliver"),
    # The standard's schedule goes on for days, after which senders switch the endpoint off.
    Habit("standard-webhooks", 15, 12, "anything but 2xx, for days", keeps=frozenset(), final=200),
    # For a caller who would rather see each error kind's own status.
    Habit("as-is", 60, 10, "whatever the caller likes", keeps=frozenset(range(400, 600)), retries=()),
)

HABITS: Mapping[str, Habit] = {habit.name: habit for habit in _TABLE}


def status_for(habit: Habit, status: int, retryable: bool) -> int:
    """The HTTP status this sender is told for a failure of that status."""
    if retryable:
        return status if not habit.retries or status in habit.retries else habit.retries[0]
    return status if status in habit.keeps else habit.final


def batch_status(habit: Habit, failures: Sequence[tuple[int, bool] | None]) -> int:
    """The HTTP status for a batch: of each event None if it went well, else its status and whether a retry can help.

    A batch comes again if that can mend any of it: what went well is known by then and answered as before. Else it is
    200 where some went well.
    """
    failed = [failure for failure in failures if failure is not None]
    mendable = next((failure for failure in failed if failure[1]), None)
    if mendable is None and len(failed) < len(failures):
        return 200
    return status_for(habit, *(mendable or failed[0])) if failed else 200


def acknowledgement(*, taken: bool) -> bytes:
    """The SOAP answer that a Salesforce outbound message asks for; one that isn't taken comes again for 24 hours."""
    return (
        b'<soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/"><soapenv:Body>'
        b'<notificationsResponse xmlns="http://soap.sforce.com/2005/09/outbound">'
        b"<Ack>" + (b"true" if taken else b"false") + b"</Ack>"
        b"</notificationsResponse></soapenv:Body></soapenv:Envelope>"
    )


ACKNOWLEDGEMENT_TYPE = "text/xml; charset=utf-8"
