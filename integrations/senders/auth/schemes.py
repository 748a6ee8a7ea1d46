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
    """One way to prove oneself.

    `preset` is what its vendor has fixed; `keys` are those of a sender's row it uses besides `secrets`, `required`
    those
    it can't do without; `settings` are the service's own that it needs. `delivery_id` is a header with the delivery's
    id, which `covers_delivery_id` says to be signed too. `covers_body`: it covers the body's bytes, so that nothing
    can be altered on the way.
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
        keys=("tolerance_seconds",),
        covers_body=True,
        delivery_id="webhook-id",
        covers_delivery_id=True,
        response_policy="standard-webhooks",
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
    ),
    Scheme("api-key", credentials.verify_api_key, credentials.sign_api_key, keys=("header", "query")),
    Scheme("basic", credentials.verify_basic, credentials.sign_basic, keys=("username",)),
    Scheme("bearer", credentials.verify_bearer, credentials.sign_bearer),
    Scheme(
        "mtls",
        credentials.verify_mtls,
        credentials.sign_mtls,
        keys=("subjects", "subject_header"),
        required=("subjects", "subject_header"),
        settings=("trusted_proxies",),
        has_secrets=False,
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
