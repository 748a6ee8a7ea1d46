"""The HMACs of vendors: only what the vendor leaves open is left to the row."""

from collections.abc import Mapping

from integrations.senders.auth.hmac_signatures import (
    TIMED_KEYS,
    hmac_secret_form,
    hmac_warnings,
    is_timed,
    sign_hmac,
    verify_hmac,
)
from integrations.senders.auth.scheme import Json, Scheme, header_key


def _vendor(
    name: str, *, delivery_ids: tuple[str, ...] = (), response_policy: str = "", template: str, **preset: str
) -> Scheme:
    preset["template"] = template
    return Scheme(
        name,
        verify_hmac,
        sign_hmac,
        openapi=_openapi(preset),
        preset=preset,
        keys=TIMED_KEYS if is_timed(preset) else {},
        settings=("public_base_url",) if "uri}" in template else (),
        covers_body=True,
        delivery_ids=delivery_ids,
        response_policy=response_policy,
        warnings=hmac_warnings,
        secret_form=hmac_secret_form,
    )


def _openapi(preset: Mapping[str, str]) -> Json:
    timed = f", the timestamp in `{preset['timestamp_header']}`" if "timestamp_header" in preset else ""
    written = f", written `{preset['signature_format']}`" if "signature_format" in preset else ""
    kind = "hash" if preset.get("construction") == "hash" else "HMAC"
    algorithm = preset.get("algorithm", "sha256").upper().replace("SHA", "SHA-")
    over = f"{'the secret and ' if kind == 'hash' else ''}`{preset['template']}`"
    return header_key(preset["header"], f"{kind}-{algorithm} in {preset['encoding']} over {over}{timed}{written}.")


VENDORS = (
    # developer.zendesk.com/documentation/webhooks/verifying: base64(HMAC-SHA256(timestamp + body)), nothing between.
    _vendor(
        "zendesk",
        header="X-Zendesk-Webhook-Signature",
        encoding="base64",
        timestamp_header="X-Zendesk-Webhook-Signature-Timestamp",
        timestamp_unit="iso",
        template="{timestamp}{body}",
        delivery_ids=("X-Zendesk-Webhook-Invocation-Id",),
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
        response_policy="hubspot",
    ),
    # docs.github.com, validating webhook deliveries: hex.
    _vendor(
        "github",
        header="X-Hub-Signature-256",
        encoding="hex",
        prefix="sha256=",
        template="{body}",
        delivery_ids=("X-GitHub-Delivery",),
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
        delivery_ids=("X-Shopify-Webhook-Id",),
        response_policy="shopify",
    ),
    # developers.hubspot.com, request validation, v2: no HMAC but a hash that begins with the secret.
    _vendor(
        "hubspot-v2",
        header="X-HubSpot-Signature",
        construction="hash",
        encoding="hex",
        template="{method}{uri}{body}",
        response_policy="hubspot-workflow",
    ),
    # dev.frontapp.com, application webhooks: base64(HMAC-SHA256(timestamp + ":" + body)).
    _vendor(
        "front",
        header="X-Front-Signature",
        encoding="base64",
        timestamp_header="X-Front-Request-Timestamp",
        timestamp_unit="ms",
        template="{timestamp}:{body}",
        response_policy="front",
    ),
    # dev.frontapp.com, rule webhooks: the older form, under the same name.
    _vendor(
        "front-rules",
        header="X-Front-Signature",
        algorithm="sha1",
        encoding="base64",
        template="{body}",
        response_policy="front",
    ),
    # learn.microsoft.com, Teams, outgoing webhooks: the token that Teams shows is the key in base64.
    _vendor(
        "teams",
        header="Authorization",
        prefix="HMAC ",
        encoding="base64",
        secret_encoding="base64",  # noqa: S106 - how the secret is written
        template="{body}",
        response_policy="teams",
    ),
    # developers.intercom.com, signed notifications: keyed with the app's client secret.
    _vendor(
        "intercom",
        header="X-Hub-Signature",
        algorithm="sha1",
        encoding="hex",
        prefix="sha1=",
        template="{body}",
        response_policy="intercom",
    ),
    # developer.helpscout.com, webhooks.
    _vendor(
        "help-scout",
        header="X-HelpScout-Signature",
        algorithm="sha1",
        encoding="base64",
        template="{body}",
    ),
    # docs.dixa.io, webhooks security: milliseconds, and a key that is shown in hex.
    _vendor(
        "dixa",
        header="X-Dixa-Signature",
        encoding="hex",
        secret_encoding="hex",  # noqa: S106 - the same
        timestamp_unit="ms",
        signature_format="t={timestamp},v1={signature}",
        template="{timestamp}.{body}",
    ),
    # developer.calendly.com, webhook signatures.
    _vendor(
        "calendly",
        header="Calendly-Webhook-Signature",
        encoding="hex",
        signature_format="t={timestamp},v1={signature}",
        template="{timestamp}.{body}",
    ),
    # api.slack.com, verifying requests from Slack.
    _vendor(
        "slack",
        header="X-Slack-Signature",
        encoding="hex",
        prefix="v0=",
        timestamp_header="X-Slack-Request-Timestamp",
        template="v0:{timestamp}:{body}",
        response_policy="slack",
    ),
    # developers.zoom.us, verify webhook events: Slack's form under names of its own.
    _vendor(
        "zoom",
        header="X-Zm-Signature",
        encoding="hex",
        prefix="v0=",
        timestamp_header="X-Zm-Request-Timestamp",
        template="v0:{timestamp}:{body}",
        response_policy="zoom",
    ),
    # developer.atlassian.com, Jira Cloud webhooks with a secret: GitHub's form in WebSub's header.
    _vendor(
        "jira",
        header="X-Hub-Signature",
        encoding="hex",
        prefix="sha256=",
        template="{body}",
        delivery_ids=("X-Atlassian-Webhook-Identifier",),
    ),
)
