"""The fields of a request in words, for every audience: OpenAPI, the data action's contract, Postman."""

IDEMPOTENCY_KEY = (
    "Up to 255 visible ASCII characters, new for each new request and the same for its repeats: a repeat gets the "
    "first answer again and never starts a second session. Empty counts as none."
)

START: dict[str, str] = {
    "conversationId": "The conversation that gets the cobrowse session: its UUID. Needed unless latest is true.",
    "channel": (
        "webchat, voice or message, or Genesys's own word in any case (CHAT, CALL, WEBMESSAGING): chooses the scope of "
        "the token that is asked for. Empty: all of them."
    ),
    "latest": (
        "true takes the newest active webchat instead of a conversationId. The service refuses it unless it was "
        "started with ALLOW_LATEST=true, since it can pick another customer's conversation."
    ),
    "requestedBy": "Who or what asks, for the record: cut to 200 characters.",
    "startWhen": (
        "customer_connected (the default), or agent_connected: nothing is started before an agent has answered, and "
        "the answer is agent_not_connected until then."
    ),
    "participantData": (
        "true writes the session's links, code and id into the customer's participant data, where agents' scripts and "
        "flows read them; one call more. Empty: as the service's PARTICIPANT_DATA says."
    ),
    "dryRun": (
        "true says what would happen (would_start, already_active, or the error) and does nothing: no invitation, no "
        "session, no key used."
    ),
    "sessionSettings": (
        "A string that holds a JSON object of up to 4096 bytes: what the session is created with. A data action "
        "can't send objects."
    ),
    "idempotencyKey": f"The same as the header Idempotency-Key, which wins. {IDEMPOTENCY_KEY}",
}
_WHICH = "One of initiationId, idempotencyKey and conversationId; the first of them that is set is taken."
STATUS: dict[str, str] = {
    "initiationId": f"The initiationId of an answer. {_WHICH}",
    "conversationId": f"The conversation: of what this credential started in it, the newest. {_WHICH}",
    "idempotencyKey": f"The key that the start was sent with. {_WHICH}",
    "live": "true looks at the conversation too, by one call: who is in the session, and since when.",
}
END: dict[str, str] = {
    "initiationId": "The initiation whose session is to end; of this credential's own.",
    "conversationId": "Or the conversation: every cobrowse session that is live in it ends, whoever started it.",
    "requestedBy": START["requestedBy"],
    "idempotencyKey": START["idempotencyKey"],
}
QUERY: dict[str, str] = {
    "conversationId": "The conversation. One of conversationId, idempotencyKey and correlationId is needed.",
    "idempotencyKey": "The key that it was sent with.",
    "correlationId": "The correlation id that it was sent with, or got.",
    "since": "ISO 8601: only what came at that time or later.",
    "cursor": "The nextCursor of the page before.",
    "limit": "How many a page has: 1 to 100, 25 if not said.",
}
