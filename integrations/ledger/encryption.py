"""Keeps secrets unreadable in the database: Fernet keys, the first of which encrypts and all of which decrypt."""

import os
import secrets
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import orjson
from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from cobrowse.errors import LedgerUnavailable

MAKE_A_KEY = 'python -c "from cryptography.fernet import Fernet; print(Fernet.generate_key().decode())"'
# How many of the texts encrypted last are remembered: an attempt's end mostly encrypts what its last step did.
CACHE_SIZE = 256


class UnknownKey(Exception):
    """None of the keys decrypts it."""


class SecretBox:
    """Encrypts with the first of the keys, and decrypts with any. ValueError if one is not a Fernet key.

    With a `file`, that is where this installation's own key is: made there at the first need unless `keys` are given.
    Where they are given later, an older file still decrypts what was encrypted before. Whatever needs the keys raises
    LedgerUnavailable if the file can't be used.
    """

    def __init__(self, keys: Sequence[str], file: Path | None = None) -> None:
        _parse(keys)
        self._static_keys = keys
        self._file = file
        self._from_file = ""
        self._fernet: MultiFernet | None = None
        self._encrypted = lru_cache(CACHE_SIZE)(lambda plain: self._load_keys().encrypt(plain).decode())

    def encrypt(self, values: Mapping[str, object]) -> str:
        """The values as one opaque text; nothing stays nothing."""
        return self._encrypted(orjson.dumps(values)) if values else ""

    def decrypt(self, text: str) -> Mapping[str, Any]:
        """What was encrypted. UnknownKey if no key fits."""
        if not text:
            return {}
        try:
            values: Mapping[str, Any] = orjson.loads(self._load_keys().decrypt(text))
        except InvalidToken as error:
            raise UnknownKey from error
        return values

    def check(self) -> None:
        """LedgerUnavailable if the file is gone or holds another key by now, which processes that start would use."""
        if self._file is None or not self._from_file:
            return
        try:
            found = self._file.read_text("ascii").strip()
        except (OSError, ValueError):
            found = ""
        if found != self._from_file:
            what = "holds another key than this process uses" if found else "is gone or can't be read"
            hint = "Put the key file back that the service was started with; to change it, stop the service first."
            raise LedgerUnavailable(f"the ledger's key file {self._file} {what}", hint=hint)

    def _load_keys(self) -> MultiFernet:
        if self._fernet is None:
            keys = [*self._static_keys]
            if self._file is not None and (not keys or self._file.exists()):
                self._from_file = _installation_key(self._file)
                keys.append(self._from_file)
            self._fernet = MultiFernet(_parse(keys))
        return self._fernet


def _parse(keys: Sequence[str]) -> list[Fernet]:
    made = []
    for number, key in enumerate(keys, 1):
        try:
            made.append(Fernet(key))
        except ValueError:
            raise ValueError(f"LEDGER_KEYS: key {number} is not a Fernet key; make one: {MAKE_A_KEY}") from None
    return made


def _installation_key(file: Path) -> str:
    """The key in this file. However many workers make it at once, one file is linked into place and all read that."""
    try:
        if not file.exists():
            _place(file, Fernet.generate_key())
        key = file.read_text("ascii").strip()
        _parse([key])
    except (OSError, ValueError) as error:
        reason = (error.strerror or "unreadable") if isinstance(error, OSError) else "it holds no Fernet key"
        hint = "Make that directory writable to the service, put the right key file back, or set LEDGER_KEYS."
        raise LedgerUnavailable(f"the ledger's key file {file} can't be used: {reason}", hint=hint) from error
    return key


def _place(file: Path, key: bytes) -> None:
    draft = file.with_name(f"{file.name}.{secrets.token_hex(8)}")
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        os.write(handle, key)
        os.fsync(handle)
        os.link(draft, file)
        _sync(file.parent)
    except FileExistsError:
        pass  # another worker was first; its key is the one
    finally:
        os.close(handle)
        draft.unlink()


def _sync(directory: Path) -> None:
    """Make a new name in it last through a power cut."""
    handle = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
