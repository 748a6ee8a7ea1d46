"""Flask as this service uses it: synchronous functions, one domain, no sessions, and mostly paths without variables."""

from collections.abc import Callable, Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flask import Flask, Request
from flask.ctx import RequestContext
from flask.sessions import NullSession, SessionInterface
from werkzeug.routing import MapAdapter, Rule

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

# What a page of any blueprint may extend.
_TEMPLATES = Path(__file__).resolve().parent / "templates"


class NoSessions(SessionInterface):
    """Flask's sessions, which nothing here uses."""

    _NONE = NullSession()

    def open_session(self, app: Flask, request: Request) -> NullSession:  # noqa: ARG002 - Flask's signature
        """The one that can't be written to, for every request."""
        return self._NONE


class App(Flask):
    """Flask without what it does for coroutines, sessions and several domains."""

    session_interface = NoSessions()

    def __init__(self, name: str) -> None:
        super().__init__(name, static_folder=None, template_folder=_TEMPLATES)

    def ensure_sync(self, func: Callable[..., Any]) -> Callable[..., Any]:
        """The function, which is no coroutine."""
        return func

    def create_url_adapter(self, request: Request | None) -> MapAdapter | None:
        """What finds the request's route, which depends on its path and method only. SecurityError for no host."""
        if request is None:
            return super().create_url_adapter(None)
        where = request.root_path, "", request.scheme, request.path, request.method
        return MapAdapter(self.url_map, request.host, *where, request.query_string.decode("latin-1"))

    def request_context(self, environ: "WSGIEnvironment") -> RequestContext:
        """A request's context, which finds a path without variables by one look-up."""
        return _Context(self, environ)

    @cached_property
    def fixed_rules(self) -> Mapping[tuple[str, str], Rule]:
        """By method and path: the rules without variables that were there at the first request."""
        fixed = [rule for rule in self.url_map.iter_rules() if not rule.arguments and rule.redirect_to is None]
        return {(method, rule.rule): rule for rule in fixed for method in rule.methods or ()}


class _Context(RequestContext):
    def match_request(self) -> None:
        """Find the request's rule. Werkzeug's matcher leaves a cycle of objects to the garbage collector each time."""
        assert isinstance(self.app, App)  # noqa: S101 - it is what makes these
        rule = self.app.fixed_rules.get((self.request.method, self.request.path))
        if rule is None:
            super().match_request()
        else:
            self.request.url_rule, self.request.view_args = rule, {}
