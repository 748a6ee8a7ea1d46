"""The authentication schemes of senders: the one table that the senders file, the documents and the commands read."""

import re
from collections.abc import Mapping

from integrations.senders.auth import checks, credentials, hmac_signatures, standard_webhooks
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
        openapi={
            "type": "apiKey",
            "in": "header",
            "name": "webhook-signature",
            "description": "Signed over `webhook-id`, `webhook-timestamp` and the body; named `svix-…` as well.",
        },
        # Not read by the two above, which use the standard's package: for Postman.
        preset={
            "header": "webhook-signature",
            "encoding": "base64",
            "prefix": "v1,",
            "timestamp_header": "webhook-timestamp",
            "template": "{id}.{timestamp}.{body}",
        },
        keys=hmac_signatures.TIMED_KEYS,
        covers_body=True,
        delivery_ids=standard_webhooks.IDS,
        covers_delivery_id=True,
        secret_prefix=standard_webhooks.PREFIX,
        response_policy="standard-webhooks",
        key_of=lambda secret, _row: standard_webhooks.key_bytes(secret),
        key_form=lambda _row: "whsec_ and base64, as Standard Webhooks has it",
        sample=lambda text, _row: standard_webhooks.sample(text),
    ),
    *VENDORS,
    TWILIO,
    *PUBLIC_KEY_SCHEMES,
    Scheme(
        "hmac",
        hmac_signatures.verify_hmac,
        hmac_signatures.sign_hmac,
        openapi={
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
    ),
    Scheme(
        "api-key",
        credentials.verify_api_key,
        credentials.sign_api_key,
        openapi={
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
    ),
    Scheme(
        "basic",
        credentials.verify_basic,
        credentials.sign_basic,
        openapi={"type": "http", "scheme": "basic", "description": "The secret is the password."},
        keys={"username": checks.text},
    ),
    Scheme(
        "bearer",
        credentials.verify_bearer,
        credentials.sign_bearer,
        openapi={"type": "http", "scheme": "bearer", "description": "The secret is the token."},
    ),
    JWT,
    Scheme(
        "mtls",
        credentials.verify_mtls,
        credentials.sign_mtls,
        openapi={"type": "mutualTLS", "description": "A trusted proxy passes the certificate's subject."},
        keys={"subjects": checks.texts, "subject_header": checks.header},
        required=("subjects", "subject_header"),
        settings=("trusted_proxies",),
        secrets="none",
        complete=lambda row: {**row, "subjects": tuple(row["subjects"])},
    ),
)

SCHEMES: Mapping[str, Scheme] = {scheme.name: scheme for scheme in _TABLE}
