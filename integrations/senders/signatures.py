"""The schemes by which a sender proves itself, a row each: how it is checked, how it is made, what its row may say."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from cobrowse.model import Secret
from integrations.senders import credentials
from integrations.senders.hmacs import sign_hmac, verify_hmac
from integrations.senders.incoming import Incoming
from integrations.senders.proof import Proof, Signed
from integrations.senders.standard import sign_standard, verify_standard

Verify = Callable[[Proof, Incoming, datetime], str]
Sign = Callable[[Proof, Secret, Incoming, datetime], Signed]


@dataclass(frozen=True, slots=True)
class Scheme:
    """One way to prove oneself.

    `fixed` is what its vendor has fixed; `keys` are those of a sender's row it uses besides `secrets`, `required` those
    it can't do without; `settings` are the service's own that it needs. `delivery_id` is a header with the delivery's
    id. `over_body`: it covers the body's bytes, so that nothing can be altered on the way.
    """

    name: str
    verify: Verify
    sign: Sign
    fixed: Mapping[str, str] = field(default_factory=dict)
    keys: tuple[str, ...] = ()
    required: tuple[str, ...] = ()
    settings: tuple[str, ...] = ()
    has_secrets: bool = True
    over_body: bool = False
    delivery_id: str = ""
    habit: str = ""


def _vendor(
    name: str,
    *,
    keys: tuple[str, ...] = (),
    settings: tuple[str, ...] = (),
    delivery_id: str = "",
    habit: str = "",
    **fixed: str,
) -> Scheme:
    """A vendor's HMAC: only what the vendor leaves open is left to the row."""
    return Scheme(
        name,
        verify_hmac,
        sign_hmac,
        fixed=fixed,
        keys=keys,
        settings=settings,
        over_body=True,
        delivery_id=delivery_id,
        habit=habit,
    )


_HMAC_KEYS = ("header", "algorithm", "encoding", "prefix", "timestamp_header", "timestamp_unit", "template")

_TABLE = (
    Scheme(
        "standard-webhooks",
        verify_standard,
        sign_standard,
        keys=("tolerance_seconds",),
        over_body=True,
        delivery_id="webhook-id",
        habit="standard-webhooks",
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
        habit="zendesk",
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
        habit="hubspot",
    ),
    # docs.github.com, validating webhook deliveries: hex.
    _vendor(
        "github",
        header="X-Hub-Signature-256",
        encoding="hex",
        prefix="sha256=",
        template="{body}",
        delivery_id="X-GitHub-Delivery",
        habit="github",
    ),
    # developer.genesys.cloud, Open Messaging, validate: GitHub's header, but base64; so the row says which it is.
    _vendor(
        "genesys-open-messaging",
        header="X-Hub-Signature-256",
        encoding="base64",
        prefix="sha256=",
        template="{body}",
        habit="open-messaging",
    ),
    # shopify.dev, verify a webhook. Its X-Shopify-Event-Id is shared by the several topics of one event.
    _vendor(
        "shopify",
        header="X-Shopify-Hmac-SHA256",
        encoding="base64",
        template="{body}",
        delivery_id="X-Shopify-Webhook-Id",
        habit="shopify",
    ),
    Scheme(
        "hmac",
        verify_hmac,
        sign_hmac,
        keys=(*_HMAC_KEYS, "tolerance_seconds"),
        required=("header",),
        over_body=True,
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
    scheme: Scheme, proof: Proof, secret: Secret, method: str, path_with_query: str, body: bytes, now: datetime
) -> Signed:
    """What this sender would add to this request to prove itself."""
    path, _, query_string = path_with_query.partition("?")
    return scheme.sign(proof, secret, Incoming(method, path, query_string, {}, body), now)
