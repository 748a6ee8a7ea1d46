"""A small OpenID Connect provider on a socket of this machine: it signs with real keys, and checks what it is sent."""

import base64
import hashlib
import json
import threading
import time
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlencode, urlsplit

from joserfc import jwt
from joserfc.jwk import RSAKey

from tests.rsa_keys import rsa_key

CLIENT, CLIENT_SECRET = "console-client", "a-secret-of-the-consoles-client"
# The provider's key, a stranger's that calls itself the same, and the one that the provider has next.
KEY, OTHER, NEXT = "key", "other", "next"


def signing_key(which):
    """One of those three."""
    kid = "next" if which == NEXT else "one"
    return RSAKey.import_key(rsa_key(which), {"kid": kid, "use": "sig"})


class Provider:
    """What it says and whom it confirms; a test changes its fields. `asked` has the paths of what came."""

    def __init__(self, url):
        self.url = url
        self.claims = {"sub": "u-1", "preferred_username": "ann", "roles": ["ops"]}
        self.description = {}
        self.keys, self.signing, self.algorithm = [signing_key(KEY)], signing_key(KEY), "RS256"
        self.answers = {}
        self.asked = []
        self._codes = {}

    def of_itself(self):
        endpoints = {
            "authorization_endpoint": f"{self.url}/authorize",
            "token_endpoint": f"{self.url}/token",
            "jwks_uri": f"{self.url}/keys",
        }
        algorithms = {"id_token_signing_alg_values_supported": ["RS256", "none", "HS256"]}
        return {"issuer": self.url, **endpoints, **algorithms} | self.description

    def authorise(self, query):
        """Where the browser goes back to, its person having signed in."""
        asked = {name: values[0] for name, values in parse_qs(query).items()}
        assert (asked["response_type"], asked["client_id"]) == ("code", CLIENT)
        assert asked["code_challenge_method"] == "S256"
        assert "openid" in asked["scope"].split()
        code = f"code-{len(self._codes)}"
        self._codes[code] = asked
        return f"{asked['redirect_uri']}?{urlencode({'code': code, 'state': asked['state']})}"

    def token(self, headers, form):
        """The token's answer, for a code that is given once, to our client, and to who knows its verifier."""
        sent = {name: values[0] for name, values in parse_qs(form).items()}
        basic = base64.b64encode(f"{CLIENT}:{CLIENT_SECRET}".encode()).decode()
        by_post = (sent.get("client_id"), sent.get("client_secret")) == (CLIENT, CLIENT_SECRET)
        asked = self._codes.pop(sent.get("code"), None)
        proof = base64.urlsafe_b64encode(hashlib.sha256(sent.get("code_verifier", "").encode()).digest()).rstrip(b"=")
        good = asked and asked["code_challenge"] == proof.decode() and asked["redirect_uri"] == sent["redirect_uri"]
        if not good or not (headers.get("Authorization") == f"Basic {basic}" or by_post):
            return 400, {"error": "invalid_grant"}
        now = int(time.time())
        claims = {"iss": self.url, "aud": CLIENT, "iat": now, "exp": now + 300, "nonce": asked["nonce"], **self.claims}
        claims = {name: value for name, value in claims.items() if value is not None}
        header = {"alg": self.algorithm, "kid": self.signing.kid if self.signing else "one"}
        id_token = (
            jwt.encode(header, claims, self.signing, algorithms=[self.algorithm]) if self.signing else unsigned(claims)
        )
        return 200, {"access_token": "an-access-token", "token_type": "Bearer", "id_token": id_token}


def unsigned(claims):
    parts = ({"alg": "none"}, claims)
    return ".".join(base64.urlsafe_b64encode(json.dumps(each).encode()).rstrip(b"=").decode() for each in parts) + "."


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        provider, parts = self.server.provider, urlsplit(self.path)
        provider.asked.append(parts.path)
        if parts.path in provider.answers:
            self.reply(*provider.answers[parts.path])
        elif parts.path == "/authorize":
            self.reply(302, b"", {"Location": provider.authorise(parts.query)})
        elif parts.path == "/keys":
            self.reply(200, {"keys": [key.as_dict(private=False) for key in provider.keys]})
        else:
            self.reply(200, provider.of_itself())

    def do_POST(self):
        form = self.rfile.read(int(self.headers["Content-Length"])).decode()
        self.server.provider.asked.append(self.path)
        told = self.server.provider.answers.get(self.path)
        self.reply(*(told or self.server.provider.token(self.headers, form)))

    def reply(self, status, content, headers=()):
        body = content if isinstance(content, bytes) else json.dumps(content).encode()
        self.send_response(status)
        for name, value in {"Content-Type": "application/json", "Content-Length": len(body), **dict(headers)}.items():
            self.send_header(name, str(value))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


@contextmanager
def provider_on_a_socket():
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    server.provider = Provider(f"http://127.0.0.1:{server.server_port}")
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield server.provider
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
