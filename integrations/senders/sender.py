"""A sender: its validated row, and its operations."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType

from cobrowse.model import Action, Secret, StartWhen
from integrations.listening.config import SENDER, ListenConfig
from integrations.senders.auth.addresses import check_address
from integrations.senders.auth.config import AuthConfig, AuthParts
from integrations.senders.auth.scheme import Scheme
from integrations.senders.handshakes import Handshake, HandshakeAnswer, HandshakeRow
from integrations.senders.payloads.content import media_type_of
from integrations.senders.payloads.parser import EventParser
from integrations.senders.requests import Ignored, SessionRequested, UnverifiedRequest
from integrations.senders.response_policies import ResponsePolicy


@dataclass(frozen=True, slots=True)
class Sender:
    """One valid row. `deadline_seconds` is the longest that the sender waits for a response.

    With `dry_run` nothing is done, and each delivery is answered with what would happen.
    """

    name: str
    signature: str
    envelope: str
    deadline_seconds: float
    start_when: StartWhen
    participant_data: bool
    max_body_bytes: int
    response_policy: ResponsePolicy
    scheme: Scheme
    auth_config: AuthConfig
    parser: EventParser
    always_200: bool = False
    reuse_live_session: bool = True
    action: Action = "start"
    dry_run: bool = False
    rate_limit: str = ""
    rate_limit_fail_open: bool = False
    handshake: Handshake | None = None
    handshake_row: HandshakeRow = HandshakeRow()
    allow_from: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()

    @property
    def secrets(self) -> tuple[Secret, ...]:
        """The secrets it may use, in the row's order."""
        return self.auth_config.secrets

    @property
    def content_type(self) -> str:
        """The Content-Type that it sends."""
        return media_type_of(self.parser.content or self.parser.envelope.content)

    @property
    def is_timed(self) -> bool:
        """Whether its signature covers the time of the delivery."""
        config = self.auth_config
        in_header = "{timestamp}" in config.signature_format
        return bool(config.timestamp_header or in_header or self.scheme.covers_delivery_id)

    @property
    def leaves_notes(self) -> bool:
        """Whether its handshake asks something of a person."""
        return self.handshake is not None and self.handshake.leaves_notes

    def start(self) -> None:
        """Start its scheme's background work; once in each process that serves."""
        self.scheme.start(self.auth_config.prepared)

    def authenticate(self, incoming: UnverifiedRequest, now: datetime) -> str:
        """The name of the credential it authenticated with, for the log. Raises the 401 kinds of cobrowse.errors."""
        check_address(incoming, self.allow_from, self.auth_config.trusted_proxies)
        return self.scheme.verify(self.auth_config, incoming, now)

    def answer_handshake(self, incoming: UnverifiedRequest, now: datetime) -> HandshakeAnswer | None:
        """The answer to the vendor's handshake; None if the request is none. Raises the 401 kinds, and InvalidRequest.

        A POST is parsed for it only once it is authenticated; another handshake is recognised by its method, and
        by a credential that comes with every request, where the row has one.
        """
        handshake = self.handshake
        if handshake is None or handshake.method != incoming.method:
            return None
        check_address(incoming, self.allow_from, self.auth_config.trusted_proxies)
        if handshake.with_credential and not self.scheme.covers_body:
            self.authenticate(incoming, now)
        return handshake.answer(incoming, self.handshake_row)

    def parse_events(self, incoming: UnverifiedRequest) -> tuple[SessionRequested | Ignored, ...]:
        """The requests in an authenticated delivery, at least one. Raises MalformedRequest, UnsupportedType, …."""
        return self.parser.parse(incoming)

    def sign(
        self,
        method: str,
        path_with_query: str,
        body: bytes,
        now: datetime,
        headers: Mapping[str, str] = MappingProxyType({}),
    ) -> AuthParts:
        """What signs this request, with the first secret. CanNotSignError if only the sender can."""
        path, _, query = path_with_query.partition("?")
        lowered = {name.lower(): value for name, value in headers.items()}
        secret = self.secrets[0] if self.secrets else Secret()
        draft = UnverifiedRequest(method, path, query, lowered, body)
        return self.scheme.sign(self.auth_config, secret, draft, now)


@dataclass(frozen=True, slots=True)
class Senders:
    """All senders of the file, by their names, and its [listen] table if it has one."""

    rows: Mapping[str, Sender] = field(default_factory=dict)
    listen: ListenConfig | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """The names under which initiations of the file are kept: the listener's too, if there is one."""
        return (*((SENDER,) if self.listen else ()), *self.rows)

    def get(self, name: str) -> Sender | None:
        """The sender of this name."""
        return self.rows.get(name)

    def __iter__(self) -> Iterator[Sender]:
        return iter(self.rows.values())

    def __len__(self) -> int:
        return len(self.rows)

    def masked(self) -> list[dict[str, object]]:
        """Each sender as `cobrowse-bridge senders` shows it: secrets by the names of their variables only."""
        return [
            {
                "name": sender.name,
                "path": f"/webhooks/{sender.name}",
                "signature": sender.signature,
                "secrets": [f"${name} •••" for name in sender.auth_config.names],
                "envelope": sender.envelope,
                "responsePolicy": sender.response_policy.name,
                "conversationId": sender.parser.conversation_id.text if sender.parser.conversation_id else "",
                "deadlineSeconds": sender.deadline_seconds,
                "always200": sender.always_200,
                "reuseLiveSession": sender.reuse_live_session,
                "startWhen": sender.start_when,
                "action": sender.action,
                "participantData": sender.participant_data,
                "dryRun": sender.dry_run,
                "rateLimit": sender.rate_limit,
                "rateLimitFailOpen": sender.rate_limit_fail_open,
                "maxBodyBytes": sender.max_body_bytes,
                "handshake": sender.handshake.name if sender.handshake else "",
                "allowFrom": list(sender.allow_from),
                "warnings": list(sender.warnings),
            }
            for sender in self
        ]
