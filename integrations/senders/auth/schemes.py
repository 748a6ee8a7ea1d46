"""The authentication schemes of senders: the one table that the senders file, the documents and the commands read."""

import re
from collections.abc import Mapping

from integrations.senders.auth import checks, credentials, hmac_signatures, postman_scripts, standard_webhooks
from integrations.senders.auth.jwt_bearer import JWT
from integrations.senders.auth.public_key_signatures import PUBLIC_KEY_SCHEMES
from integrations.senders.auth.scheme import Row, Scheme, SenderContext
from integrations.senders.auth.twilio import TWILIO
from integrations.senders.auth.vendors import VENDORS

_QUERY_NAME = re.compile(r"[A-Za-z0-9._~-]{1,100}")


def _api_key_errors(row: Row, _context: SenderContext) -> list[str]:
    both = "header" in row and "query" in row
    return ["query: the key can't be in both a header and the query; keep one of them"] if both else []


_TABLE = (
    Scheme(
        "standard-webhooks",
        standard_webhooks.verify_standard,
        standard_webhooks.sign_standard,
        security={
            "type": "apiKey",
            "in": "header",
            "name": "webhook-signature",
            "description": "Signed over `webhook-id`, `webhook-timestamp` and the body; named `svix-…` as well.",
        },
        keys=hmac_signatures.TIMED_KEYS,
        covers_body=True,
        delivery_ids=standard_webhooks.IDS,
        response_policy="standard-webhooks",
        key_of=lambda secret, _row: standard_webhooks.key_bytes(secret),
        key_form=lambda _row: "whsec_ and base64, as Standard Webhooks has it",
        sample=lambda text, _row: standard_webhooks.sample(text),
        postman=postman_scripts.standard_auth,
    ),
    *VENDORS,
    TWILIO,
    *PUBLIC_KEY_SCHEMES,
    Scheme(
        "hmac",
        hmac_signatures.verify_hmac,
        hmac_signatures.sign_hmac,
        security={
            "type": "apiKey",
            "in": "header",
            "name": "X-Signature",
            "description": "An HMAC in the header and over the parts that the row names.",
        },
        keys=hmac_signatures.HMAC_KEYS,
        required=("header",),
        covers_body=True,
        errors=hmac_signatures.hmac_errors,
        warnings=hmac_signatures.hmac_warnings,
        complete=hmac_signatures.hmac_completed,
        key_of=hmac_signatures.hmac_key,
        key_form=lambda row: str(row.get("secret_encoding", "")),
        sample=hmac_signatures.hmac_sample,
        postman=postman_scripts.hmac_auth,
    ),
    Scheme(
        "api-key",
        credentials.verify_api_key,
        credentials.sign_api_key,
        security={
            "type": "apiKey",
            "in": "header",
            "name": "X-Api-Key",
            "description": "The secret, in the header or the query parameter that the row names.",
        },
        keys={
            "header": checks.header,
            "query": checks.matching(_QUERY_NAME, "the name of a query parameter"),
        },
        errors=_api_key_errors,
        complete=lambda row: row if "query" in row else {"header": "X-Api-Key", **row},
        postman=postman_scripts.key_auth,
    ),
    Scheme(
        "basic",
        credentials.verify_basic,
        credentials.sign_basic,
        security={"type": "http", "scheme": "basic", "description": "The secret is the password."},
        keys={"username": checks.text},
        postman=postman_scripts.basic_auth,
    ),
    Scheme(
        "bearer",
        credentials.verify_bearer,
        credentials.sign_bearer,
        security={"type": "http", "scheme": "bearer", "description": "The secret is the token."},
        postman=postman_scripts.bearer_auth,
    ),
    JWT,
    Scheme(
        "mtls",
        credentials.verify_mtls,
        credentials.sign_mtls,
        security={"type": "mutualTLS", "description": "A trusted proxy passes the certificate's subject."},
        keys={"subjects": checks.texts, "subject_header": checks.header},
        required=("subjects", "subject_header"),
        settings=("trusted_proxies",),
        secrets="none",
        complete=lambda row: {**row, "subjects": tuple(row["subjects"])},
        postman=postman_scripts.subject_auth,
    ),
)

SCHEMES: Mapping[str, Scheme] = {scheme.name: scheme for scheme in _TABLE}
