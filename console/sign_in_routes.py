"""The routes to sign in with a password, to sign out, and to sign in at the identity provider."""

from hmac import compare_digest

import structlog
from flask import Blueprint, Response, make_response, redirect, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from cobrowse.errors import SenderRateLimited
from console.access import COOKIE, Access, error_page, throttled_page
from console.sign_in import SignedIn, Throttle
from console.single_sign_on import SingleSignOn
from integrations.identity import ProviderUnavailable, SignInRefused

log = structlog.stdlib.get_logger()

# The subjects of their forms' tokens.
SIGN_IN, SIGN_OUT = "sign in", "sign out"
# The cookie that holds a pending sign-in at the provider, and its seconds.
_PENDING_COOKIE, _PENDING_SECONDS = "cobrowse_console_sign_in", 600
_UNAVAILABLE = ("The identity provider can't be used just now.", "Try again; the log says what is wrong.")


class SignInRoutes:
    """The routes to sign in with a password and to sign out."""

    def __init__(self, access: Access) -> None:
        self._access = access

    def add_routes(self, blueprint: Blueprint) -> None:
        """Put them on the console's blueprint."""
        blueprint.post("/sign-in")(self.sign_in)
        blueprint.post("/sign-out")(self.sign_out)

    def sign_in(self) -> AnyResponse:
        """Sign in by name and password."""
        next_page = request.form.get("to", "")
        if not self._access.is_own_form(SIGN_IN):
            return self._access.sign_in_page("That page was too old; sign in on this one.", 403)
        result = self._access.authenticate(request.form.get("name", ""), request.form.get("password", ""), next_page)
        return self._access.complete_sign_in(result, next_page) if isinstance(result, SignedIn) else result

    def sign_out(self) -> AnyResponse:
        """Delete the session cookie."""
        if not self._access.is_own_form(SIGN_OUT):
            return error_page(403, "This was not sent from a page of the console.", "Press “Sign out” on one.")
        page = self._access.sign_in_page("Signed out.", 200)
        self._access.set_cookie(page, COOKIE, "", 0)
        return page


class ProviderRoutes:
    """The routes to the identity provider and back."""

    def __init__(self, access: Access, sso: SingleSignOn, throttle: Throttle) -> None:
        self._access, self._sso, self._throttle = access, sso, throttle

    def add_routes(self, blueprint: Blueprint) -> None:
        """Put them on the console's blueprint."""
        blueprint.get("/sign-in/provider")(self.redirect_to_provider)
        blueprint.get("/sign-in/callback")(self.provider_callback)

    def redirect_to_provider(self) -> AnyResponse:
        """Send the browser to the identity provider."""
        try:
            sign_in = self._sso.provider.begin()
        except ProviderUnavailable:
            return error_page(503, *_UNAVAILABLE)
        answer = redirect(sign_in.url, 303)
        pending = [sign_in.state, sign_in.nonce, sign_in.code_verifier, request.args.get("to", "")[:1000]]
        sealed = self._access.signer.sign("pending sign-in", pending)
        self._access.set_cookie(answer, _PENDING_COOKIE, sealed, _PENDING_SECONDS)
        return answer

    def provider_callback(self) -> AnyResponse:
        """Sign in a person whom the identity provider has authenticated, if the claim gives a role."""
        answer = self._finish_sign_in()
        self._access.set_cookie(answer, _PENDING_COOKIE, "", 0)
        return answer

    def _finish_sign_in(self) -> AnyResponse:
        sealed = request.cookies.get(_PENDING_COOKIE, "")
        pending = self._access.signer.unsign("pending sign-in", sealed, _PENDING_SECONDS)
        state, code = request.args.get("state", ""), request.args.get("code", "")
        if not pending or not compare_digest(state.encode(), pending[0].encode()):
            return self._refuse("This sign-in was not begun in this browser, or more than ten minutes ago.")
        if not code:
            log.warning("the identity provider refused a sign-in", error=request.args.get("error", "")[:200])
            return self._refuse("The identity provider did not confirm the sign-in.")
        address = request.remote_addr or ""
        try:
            self._throttle.attempt(address, state)
            claims = self._sso.provider.finish(code, pending[1], pending[2])
        except SenderRateLimited as error:
            return throttled_page(error)
        except ProviderUnavailable:
            return error_page(503, *_UNAVAILABLE)
        except SignInRefused:
            return self._refuse("The identity provider did not confirm the sign-in.")
        self._throttle.record_success(address, state)
        person, subject = self._sso.person_of(claims), str(claims["sub"])[:200]
        if person is None:
            log.warning("console sign-in without a role", client=address, subject=subject)
            hint = f"The claim {self._sso.claim} of your account has none of the values that give a role here."
            return error_page(403, "You are signed in at the identity provider, but may not use this console.", hint)
        return self._access.complete_sign_in(person, pending[3], subject=subject)

    def _refuse(self, message: str) -> Response:
        return make_response(
            self._access.sign_in_page(message, 401, self._access.signer.sign("to", url_for("console.list_initiations")))
        )
