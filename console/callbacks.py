"""The callbacks on the console's pages, and the button that lets one be sent again."""

from collections.abc import Callable, Sequence

import structlog
from flask import g, redirect, request, url_for
from werkzeug.wrappers import Response

from cobrowse.callbacks import Callback, Delivery
from cobrowse.errors import UnknownPath
from console.view_model import Badge
from integrations.ledger.callbacks import CallbackTable

log = structlog.stdlib.get_logger()

_BADGES = {
    Delivery.PENDING: Badge("Pending", "running"),
    Delivery.DELIVERED: Badge("Delivered", "good"),
    Delivery.GIVEN_UP: Badge("Given up", "bad"),
}
_NOT_ACCEPTED = Badge("Not accepted yet", "retry")


def with_badges(
    callbacks: Sequence[Callback], token: Callable[[str], str] | None = None
) -> list[tuple[Callback, Badge, str]]:
    """Each callback with its badge and the token of its button, which `token` makes; "" without a button."""
    return [(each, _badge(each), token(subject(each.id)) if token else "") for each in callbacks]


def subject(webhook_id: str) -> str:
    """What the token of a callback's form is about."""
    return f"callback {webhook_id}"


def resend_callback(callbacks: CallbackTable, initiation_id: str, webhook_id: str) -> Response:
    """Make the callback due now, and show its initiation. UnknownPath if there is none."""
    callback = next((each for each in callbacks.for_initiation(initiation_id) if each.id == webhook_id), None)
    if callback is None:
        hint = "It may be older than LEDGER_RETENTION_SECONDS."
        raise UnknownPath("this initiation has no such callback", hint=hint)
    callbacks.resend(callback)
    log.info(
        "callback sent again from the console",
        webhook_id=callback.id,
        requested_by=g.person.name,
        client=request.remote_addr or "",
    )
    return redirect(url_for("console.show_initiation", initiation_id=initiation_id), 303)


def _badge(callback: Callback) -> Badge:
    return _NOT_ACCEPTED if callback.state is Delivery.PENDING and callback.tries else _BADGES[callback.state]
