"""GET /: to the console where there is one, else what there is instead."""

from flask import Blueprint, redirect
from flask.typing import ResponseReturnValue

from cobrowse.errors import UnknownPath

_HINT = "GET /docs describes the API. A console is at /console once CONSOLE_PASSWORD or CONSOLE_USERS is set."


def blueprint(console: str) -> Blueprint:
    """The route. `console` is the console's path, "" if there is none."""
    pages = Blueprint("root", __name__)

    @pages.get("/")
    def root() -> ResponseReturnValue:
        if console:
            return redirect(console, 302)
        raise UnknownPath("GET /: there is no page here", hint=_HINT)

    return pages
