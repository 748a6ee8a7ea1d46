"""Keeps secrets unreadable in the database: Fernet keys, the first of which seals and all of which open."""

import os
import secrets
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import orjson
from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from cobrowse.errors import LedgerUnavailable

MAKE_A_KEY = 'python -c "from cryptography.fernet import Fernet; print(Fernet.generate_key().decode())"'
# How many of the texts sealed last are remembered: an attempt's end mostly seals what its last step did.
REMEMBERED = 256


class NotOurs(Exception):
    """None of the keys opens it."""


class Vault:
    """Seals and opens. `keys` are asked for at the first need, so that a file of keys may lie where the ledger does."""

    def __init__(self, keys: Callable[[], Sequence[str]]) -> None:
        self._keys = keys
        self._fernet: MultiFernet | None = None
        self._sealed = lru_cache(REMEMBERED)(lambda plain: self._opened().encrypt(plain).decode())

    def seal(self, values: Mapping[str, object]) -> str:
        """The values as one opaque text; nothing stays nothing."""
        return self._sealed(orjson.dumps(values)) if values else ""

    def open(self, sealed: str) -> Mapping[str, Any]:
        """What was sealed. NotOurs if no key fits."""
        if not sealed:
            return {}
        try:
            values: Mapping[str, Any] = orjson.loads(self._opened().decrypt(sealed))
        except InvalidToken as fault:
            raise NotOurs from fault
        return values

    def _opened(self) -> MultiFernet:
        if self._fernet is None:
            self._fernet = MultiFernet(_read(self._keys()))
        return self._fernet


def given(keys: Sequence[str]) -> Callable[[], Sequence[str]]:
    """These keys, looked at now. ValueError if one is none."""
    _read(keys)
    return lambda: keys


def beside(file: Path, keys: Sequence[str] = ()) -> Callable[[], Sequence[str]]:
    """The key of this installation, in a file beside the ledger's, made at the first need if `keys` are not given.

    Where they are given later, an older file still opens what was sealed before.
    """
    _read(keys)
    of_installation = file.with_name(f"{file.name}.key")

    def all_keys() -> Sequence[str]:
        if keys and not of_installation.exists():
            return keys
        return [*keys, _installation_key(of_installation)]

    return all_keys


def _read(keys: Sequence[str]) -> list[Fernet]:
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
        _read([key])
    except (OSError, ValueError) as fault:
        reason = (fault.strerror or "unreadable") if isinstance(fault, OSError) else "it holds no Fernet key"
        hint = "Make that directory writable to the service, put the right key file back, or set LEDGER_KEYS."
        raise LedgerUnavailable(f"the ledger's key file {file} can't be used: {reason}", hint=hint) from fault
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
