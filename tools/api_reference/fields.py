"""The fields of a request in words, for every audience: OpenAPI, the data action's contract, Postman."""

IDEMPOTENCY_KEY = (
    "Up to 255 visible ASCII characters, new for each new request and the same for its repeats: a repeat gets the "
    "first answer again and never starts a second session. Empty counts as none."
)

REQUEST: dict[str, str] = {
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
    "sessionSettings": (
        "A string that holds a JSON object of up to 4096 bytes: what the session is created with. A data action "
        "can't send objects."
    ),
    "idempotencyKey": f"The same as the header Idempotency-Key, which wins. {IDEMPOTENCY_KEY}",
}
