"""A Genesys Cloud that grants everything at once, without a socket: for input by the thousand."""

import httpx
import orjson

_SESSION = "77777777-0000-4000-8000-000000000001"
_MEDIUM = {"id": "m-1", "type": "cobrowse", "cobrowseSessionId": _SESSION, "state": "connected"}


class Obliging(httpx.BaseTransport):
    """Each conversation is live and shows the one session there is."""

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """The good answer."""
        path = request.url.path
        if path.endswith("/token"):
            return _said({"access_token": "t-1", "expires_in": 86_400})
        if path.endswith("/sessions"):
            return _said({"id": _SESSION, "joinUrl": "https://join.example/1", "viewerUrl": "https://view.example/1"})
        if path.endswith("/media"):
            return _said(_MEDIUM)
        if path.endswith("/webchat"):
            return _said({"entities": [{"id": "11111111-1111-4111-8111-111111111111"}]})
        return _said({"id": path.rpartition("/")[2], "state": "active", "media": [{"type": "webchat"}, _MEDIUM]})


def _said(document: object) -> httpx.Response:
    return httpx.Response(200, content=orjson.dumps(document))
