"""The senders file: every sender a row, checked whole before anything starts."""

import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path as FilePath
from typing import Any, Literal

from cobrowse.model import Secret, StartWhen
from integrations.senders import chats
from integrations.senders.credentials import SHORTEST
from integrations.senders.envelopes import ENVELOPES
from integrations.senders.habits import HABITS, Habit
from integrations.senders.incoming import Ignored, Incoming, Refused, Wanted
from integrations.senders.paths import Path
from integrations.senders.payload_shapes import HEADER_ID, PATHS, warnings_of
from integrations.senders.proof import Proof, Signed, secret_bytes
from integrations.senders.reading import Reading
from integrations.senders.rows import PROOF_KEYS, Given, faults_of, habit_of
from integrations.senders.signatures import SCHEMES, Scheme, sign
from integrations.senders.standard import key_bytes

__all__ = ["Ignored", "Refused", "Sender", "Senders", "SendersFileError", "Wanted", "load_senders"]

# The data action's own name, whose credentials are API_KEYS.
RESERVED = "architect"
# Bytes: the most that any known sender sends. The service's setting of the same name has this default.
MAX_BODY_BYTES = 2_097_152
_NAME = re.compile(r"[a-z0-9-]{1,40}")
_VARIABLE = re.compile(r"\$[A-Za-z_][A-Za-z0-9_]*")


class SendersFileError(Exception):
    """The senders file is not one to start with. `faults` has a line for each thing wrong, and never a secret."""

    def __init__(self, faults: list[str]) -> None:
        super().__init__("\n".join(faults))
        self.faults = faults


@dataclass(frozen=True, slots=True)
class Sender:
    """One row, checked. `deadline_seconds` is how long the sender is kept waiting at most."""

    name: str
    signature: str
    envelope: str
    deadline_seconds: float
    failures: Literal["status", "body"]
    check_first: bool
    start_when: StartWhen
    rate: str
    max_body_bytes: int
    habit: Habit
    scheme: Scheme
    proof: Proof
    reading: Reading
    row: Mapping[str, object] = field(repr=False)
    warnings: tuple[str, ...] = ()

    @property
    def secrets(self) -> tuple[Secret, ...]:
        """The secrets it may use, in the row's order."""
        return self.proof.secrets

    def authenticate(self, incoming: Incoming, now: datetime) -> str:
        """The name of what it proved itself with, for the log. Raises the 401 kinds of cobrowse.errors."""
        return self.scheme.verify(self.proof, incoming, now)

    def read(self, incoming: Incoming) -> tuple[Wanted | Ignored, ...]:
        """What an authenticated delivery asks for, at least one. Raises MalformedRequest, UnsupportedType, …."""
        return self.reading.read(incoming)

    def sign(self, method: str, path_with_query: str, body: bytes, now: datetime) -> Signed:
        """What this sender would add to this request, made with its first secret."""
        secret = self.secrets[0] if self.secrets else Secret()
        return sign(self.scheme, self.proof, secret, method, path_with_query, body, now)


@dataclass(frozen=True, slots=True)
class Senders:
    """All senders of the file, by their names."""

    rows: Mapping[str, Sender] = field(default_factory=dict)

    def get(self, name: str) -> Sender | None:
        """The sender of this name."""
        return self.rows.get(name)

    def __iter__(self) -> Iterator[Sender]:
        return iter(self.rows.values())

    def __len__(self) -> int:
        return len(self.rows)

    def masked(self) -> list[dict[str, object]]:
        """Each sender as `flask cobrowse senders` shows it: secrets by the names of their variables only."""
        return [
            {
                "name": sender.name,
                "path": f"/webhooks/{sender.name}",
                "signature": sender.signature,
                "secrets": [f"${name} •••" for name in sender.proof.names],
                "envelope": sender.envelope,
                "habit": sender.habit.name,
                "conversationId": sender.reading.conversation_id.text if sender.reading.conversation_id else "",
                "deadlineSeconds": sender.deadline_seconds,
                "failures": sender.failures,
                "checkFirst": sender.check_first,
                "startWhen": sender.start_when,
                "rate": sender.rate,
                "maxBodyBytes": sender.max_body_bytes,
                "warnings": list(sender.warnings),
            }
            for sender in self
        ]


def load_senders(
    path_or_text: FilePath | str,
    environ: Mapping[str, str],
    *,
    public_base_url: str = "",
    trusted_proxies: tuple[str, ...] = (),
    max_body_bytes: int = MAX_BODY_BYTES,
) -> Senders:
    """The senders of a file, given by its path, or of TOML text. Raises SendersFileError with every fault at once.

    `max_body_bytes` bounds every row's own.
    """
    file, text = _source(path_or_text)
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise SendersFileError([f"{file}: is not TOML: {error}"]) from None
    given = Given(environ, public_base_url.rstrip("/"), trusted_proxies, max_body_bytes)
    faults = [
        f"{file}: {key[:60]!r} is not known here; each sender is a [senders.NAME]"
        for key in document
        if key != "senders"
    ]
    table = document.get("senders", {})
    if not isinstance(table, dict):
        raise SendersFileError([*faults, f"{file}: senders: each sender is a [senders.NAME]"])
    senders = {}
    for name, row in table.items():
        wrong = _name_faults(name) or (_faults(row, given) if isinstance(row, dict) else ["is not a table of keys"])
        faults += [f"{file}: [senders.{name[:60]}] {fault}" for fault in wrong]
        if not wrong:
            senders[name] = _sender(name, row, given)
    if faults:
        raise SendersFileError(faults)
    return Senders(senders)


def _source(path_or_text: FilePath | str) -> tuple[str, str]:
    """The name to call a file by, and its text. A text with a line break or a bracket is the TOML itself."""
    if isinstance(path_or_text, str) and (not path_or_text or set("\n[=").intersection(path_or_text)):
        return "senders.toml", path_or_text
    path = FilePath(path_or_text)
    try:
        return path.name, path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise SendersFileError([f"{path}: can't be read: {why}"]) from None


def _name_faults(name: str) -> list[str]:
    if name == RESERVED:
        return ["the name is taken by the data action, whose keys are API_KEYS"]
    return [] if _NAME.fullmatch(name) else ["a name has 1 to 40 small letters, digits and hyphens"]


def _faults(row: Mapping[str, object], given: Given) -> list[str]:
    faults = faults_of(row, given)
    scheme = SCHEMES.get(str(row.get("signature")))
    if scheme is None or not scheme.has_secrets:
        return faults
    if not row.get("secrets"):
        return [*faults, 'secrets: is missing; name the variables that hold them, as ["$NAME"]']
    secrets = row["secrets"]
    return faults + [
        fault
        for secret in (secrets if isinstance(secrets, list) else [])
        for fault in _secret_faults(secret, scheme, given)
    ]


def _secret_faults(reference: object, scheme: Scheme, given: Given) -> list[str]:
    if not isinstance(reference, str) or not _VARIABLE.fullmatch(reference):
        return ['secrets: a secret does not belong in this file; put it into the environment and name it, as "$NAME"']
    secret = given.environ.get(reference[1:], "").strip()
    if not secret:
        return [f"secrets: {reference} is not set in the environment"]
    key = key_bytes(secret) if scheme.name == "standard-webhooks" else secret_bytes(secret)
    if key is None:
        return [f"secrets: {reference} is not of the form whsec_ and base64, as Standard Webhooks has it"]
    return [f"secrets: {reference} is under {SHORTEST} bytes"] if len(key) < SHORTEST else []


def _sender(name: str, row: Mapping[str, Any], given: Given) -> Sender:
    scheme, envelope, habit = SCHEMES[row["signature"]], ENVELOPES[row["envelope"]], HABITS[habit_of(row)]
    own = {key: Path.of(text) for key, text in envelope.paths.items()}
    delivery_id = row.get("delivery_id", "")
    in_header = delivery_id.startswith(HEADER_ID)
    paths = {key: Path.of(row[key]) for key in PATHS if key in row}
    if delivery_id and not in_header:
        paths["delivery_id"] = Path.of(delivery_id)
    reading: dict[str, Any] = {**own, **paths}
    return Sender(
        name=name,
        signature=scheme.name,
        envelope=envelope.name,
        deadline_seconds=float(row.get("deadline_seconds", habit.default_deadline)),
        failures=row.get("failures", "status"),
        check_first=row.get("check_first", True),
        start_when=row.get("start_when", envelope.start_when),
        rate=row.get("rate", ""),
        max_body_bytes=row.get("max_body_bytes", min(habit.max_body_bytes, given.max_body_bytes)),
        habit=habit,
        scheme=scheme,
        proof=_proof(scheme, row, given),
        reading=Reading(
            envelope,
            delivery_header=delivery_id.removeprefix(HEADER_ID) if in_header else "",
            default_header=scheme.delivery_id,
            topics=tuple(row.get("topics", envelope.topics)),
            max_age_seconds=float(row.get("max_age_seconds", chats.MAX_AGE_SECONDS)),
            **reading,
        ),
        row=row,
        warnings=tuple(warnings_of(row)),
    )


def _proof(scheme: Scheme, row: Mapping[str, Any], given: Given) -> Proof:
    said: dict[str, Any] = {**scheme.fixed, **{key: row[key] for key in PROOF_KEYS if key in row}}
    names = tuple(reference[1:] for reference in row.get("secrets", ()))
    if scheme.name == "api-key" and "query" not in said:
        said.setdefault("header", "X-Api-Key")
    if scheme.name == "hmac":
        said.setdefault("template", "{timestamp}.{body}" if "timestamp_header" in said else "{body}")
    if "subjects" in said:
        said["subjects"] = tuple(said["subjects"])
    return Proof(
        secrets=tuple(Secret(given.environ[name].strip()) for name in names),
        names=names,
        public_base_url=given.public_base_url,
        trusted_proxies=given.trusted_proxies,
        **said,
    )
