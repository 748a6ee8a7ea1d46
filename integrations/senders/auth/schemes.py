"""The authentication schemes of senders, one row each: how to verify, how to sign, which keys a row may have."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from cobrowse.model import Secret
from integrations.senders.auth import credentials
from integrations.senders.auth.config import AuthConfig, AuthParts
from integrations.senders.auth.hmac_signatures import sign_hmac, verify_hmac
from integrations.senders.auth.standard_webhooks import sign_standard, verify_standard
from integrations.senders.requests import UnverifiedRequest

Verify = Callable[[AuthConfig, UnverifiedRequest, datetime], str]
Sign = Callable[[AuthConfig, Secret, UnverifiedRequest, datetime], AuthParts]


@dataclass(frozen=True, slots=True)
class Scheme:
    """One way to authenticate.

    `preset` is what its vendor has fixed; `keys` are those of a sender's row it uses besides `secrets`, `required`
    those it can't do without; `settings` are the service's own that it needs. `delivery_id` is a header with the
    delivery's id, which is signed too if `covers_delivery_id`. `covers_body`: it covers the body's bytes, so that
    nothing can be altered on the way.
    `secret_prefix`: its secrets are this and the key in base64. `openapi` is its Security Scheme Object in the API
    reference; an HMAC with a preset header and template needs none.
    """

    name: str
    verify: Verify
    sign: Sign
    preset: Mapping[str, str] = field(default_factory=dict)
    keys: tuple[str, ...] = ()
    required: tuple[str, ...] = ()
    settings: tuple[str, ...] = ()
    has_secrets: bool = True
    covers_body: bool = False
    delivery_id: str = ""
    covers_delivery_id: bool = False
    response_policy: str = ""
    secret_prefix: str = ""
    openapi: Mapping[str, str] = field(default_factory=dict)


def _vendor(
    name: str,
    *,
    keys: tuple[str, ...] = (),
    settings: tuple[str, ...] = (),
    delivery_id: str = "",
    response_policy: str = "",
    **preset: str,
) -> Scheme:
    """A vendor's HMAC: only what the vendor leaves open is left to the row."""
    return Scheme(
        name,
        verify_hmac,
        sign_hmac,
        preset=preset,
        keys=keys,
        settings=settings,
        covers_body=True,
        delivery_id=delivery_id,
        response_policy=response_policy,
    )


_HMAC_KEYS = ("header", "algorithm", "encoding", "prefix", "timestamp_header", "timestamp_unit", "template")

_TABLE = (
    Scheme(
        "standard-webhooks",
        verify_standard,
        sign_standard,
        # Not read by the two above, which use the standard's package: for the API reference and Postman.
        preset={
            "header": "webhook-signature",
            "encoding": "base64",
            "prefix": "v1,",
            "timestamp_header": "webhook-timestamp",
            "template": "{id}.{timestamp}.{body}",
        },
        keys=("tolerance_seconds",),
        covers_body=True,
        delivery_id="webhook-id",
        covers_delivery_id=True,
        response_policy="standard-webhooks",
        secret_prefix="whsec_",  # noqa: S106 - no secret, the mark of one
    ),
    # developer.zendesk.com/documentation/webhooks/verifying: base64(HMAC-SHA256(timestamp + body)), nothing between.
    _vendor(
        "zendesk",
        header="X-Zendesk-Webhook-Signature",
        encoding="base64",
        timestamp_header="X-Zendesk-Webhook-Signature-Timestamp",
        timestamp_unit="iso",
        template="{timestamp}{body}",
        keys=("tolerance_seconds",),
        delivery_id="X-Zendesk-Webhook-Invocation-Id",
        response_policy="zendesk",
    ),
    # developers.hubspot.com, request validation, v3: method + URL + body + timestamp in milliseconds.
    _vendor(
        "hubspot-v3",
        header="X-HubSpot-Signature-v3",
        encoding="base64",
        timestamp_header="X-HubSpot-Request-Timestamp",
        timestamp_unit="ms",
        template="{method}{decoded_uri}{body}{timestamp}",
        keys=("tolerance_seconds",),
        settings=("public_base_url",),
        response_policy="hubspot",
    ),
    # docs.github.com, validating webhook deliveries: hex.
    _vendor(
        "github",
        header="X-Hub-Signature-256",
        encoding="hex",
        prefix="sha256=",
        template="{body}",
        delivery_id="X-GitHub-Delivery",
        response_policy="github",
    ),
    # developer.genesys.cloud, Open Messaging, validate: GitHub's header, but base64; so the row says which it is.
    _vendor(
        "genesys-open-messaging",
        header="X-Hub-Signature-256",
        encoding="base64",
        prefix="sha256=",
        template="{body}",
        response_policy="open-messaging",
    ),
    # shopify.dev, verify a webhook. Its X-Shopify-Event-Id is shared by the several topics of one event.
    _vendor(
        "shopify",
        header="X-Shopify-Hmac-SHA256",
        encoding="base64",
        template="{body}",
        delivery_id="X-Shopify-Webhook-Id",
        response_policy="shopify",
    ),
    Scheme(
        "hmac",
        verify_hmac,
        sign_hmac,
        keys=(*_HMAC_KEYS, "tolerance_seconds"),
        required=("header",),
        covers_body=True,
        openapi={
            "type": "apiKey",
            "in": "header",
            "name": "X-Signature",
            "description": "An HMAC in the header and over the parts that the row names.",
        },
    ),
    Scheme(
        "api-key",
        credentials.verify_api_key,
        credentials.sign_api_key,
        keys=("header", "query"),
        openapi={
            "type": "apiKey",
            "in": "header",
            "name": "X-Api-Key",
            "description": "The secret, in the header or the query parameter that the row names.",
        },
    ),
    Scheme(
        "basic",
        credentials.verify_basic,
        credentials.sign_basic,
        keys=("username",),
        openapi={"type": "http", "scheme": "basic", "description": "The secret is the password."},
    ),
    Scheme(
        "bearer",
        credentials.verify_bearer,
        credentials.sign_bearer,
        openapi={"type": "http", "scheme": "bearer", "description": "The secret is the token."},
    ),
    Scheme(
        "mtls",
        credentials.verify_mtls,
        credentials.sign_mtls,
        keys=("subjects", "subject_header"),
        required=("subjects", "subject_header"),
        settings=("trusted_proxies",),
        has_secrets=False,
        openapi={"type": "mutualTLS", "description": "A trusted proxy passes the certificate's subject."},
    ),
)

SCHEMES: Mapping[str, Scheme] = {scheme.name: scheme for scheme in _TABLE}


def sign(
    scheme: Scheme,
    auth_config: AuthConfig,
    secret: Secret,
    method: str,
    path_with_query: str,
    body: bytes,
    now: datetime,
) -> AuthParts:
    """The authentication that this sender would add to this request."""
    path, _, query_string = path_with_query.partition("?")
    return scheme.sign(auth_config, secret, UnverifiedRequest(method, path, query_string, {}, body), now)
