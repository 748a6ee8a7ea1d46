"""Records each refused request of a sender or a caller once its response is made."""

from collections.abc import Callable

from flask import Flask, Response, g, request

from cobrowse.clock import Clock
from cobrowse.errors import CobrowseError
from integrations.refusals import Refusal
from web import data_actions
from web.error_responses import hint_of, status_of
from web.request_parsing import current_globals

# Characters that are kept of a name that no sender has, and of an error's words.
NAME_LENGTH, WORDS_LENGTH = 64, 300


def mark_refused(error: CobrowseError) -> None:
    """Mark the current request as refused with this error, whatever status its sender gets."""
    g.refused_with = error


def observe_refusals(app: Flask, add: Callable[[Refusal], None], clock: Clock) -> None:
    """Pass each refusal to `add`, which returns at once. Errors of the service (5xx) are not refusals."""

    @app.after_request
    def refused(response: Response) -> Response:
        error: CobrowseError | None = current_globals().get("refused_with")
        sender = _sender(request.path) if error is not None else ""
        if error is None or not sender or status_of(error) >= 500:
            return response
        now = clock.now()
        add(
            Refusal(
                now,
                now,
                sender,
                error.code,
                status_of(error),
                request.remote_addr or "",
                error.message[:WORDS_LENGTH],
                hint_of(error)[:WORDS_LENGTH],
                g.correlation_id,
            )
        )
        return response


def _sender(path: str) -> str:
    """The sender that a path belongs to; "" for one of neither senders nor data actions."""
    _, where, *rest = path.split("/")
    if where in ("data-actions", "initiations"):
        return data_actions.SENDER
    return rest[0][:NAME_LENGTH] if where == "webhooks" and rest else ""
