"""The authentication schemes of senders: the one table that the senders file, the documents and the commands read."""

from collections.abc import Mapping

from integrations.senders.auth.credentials import API_KEY, BASIC, BEARER, MTLS
from integrations.senders.auth.hmac_signatures import HMAC
from integrations.senders.auth.jwt_bearer import JWT
from integrations.senders.auth.public_key_signatures import PUBLIC_KEY_SCHEMES
from integrations.senders.auth.scheme import Scheme
from integrations.senders.auth.standard_webhooks import STANDARD_WEBHOOKS
from integrations.senders.auth.twilio import TWILIO
from integrations.senders.auth.vendors import VENDORS

_TABLE = (STANDARD_WEBHOOKS, *VENDORS, TWILIO, *PUBLIC_KEY_SCHEMES, HMAC, API_KEY, BASIC, BEARER, JWT, MTLS)
SCHEMES: Mapping[str, Scheme] = {scheme.name: scheme for scheme in _TABLE}
