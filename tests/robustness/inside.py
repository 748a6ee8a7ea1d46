"""The service inside this process, on a sandbox: for those who look at its answers and not at its sockets."""

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

from flask import Flask

from app import create_app
from cobrowse.model import Secret
from integrations.genesys.transport import CurlTransport
from integrations.ledger import LedgerStore, connect
from settings import Settings

KEY = "hostile-key-0123456789abcdef"


@contextlib.contextmanager
def service(
    genesys: str, folder: Path, environ: Mapping[str, str] = MappingProxyType({}), **chosen: Any
) -> Iterator[tuple[Flask, LedgerStore]]:
    """The app and its ledger, both of its own, until the block ends. `environ` holds its senders' secrets."""
    defaults = Settings(
        genesys_api_url=genesys,
        genesys_login_url=genesys,
        api_keys=Secret(f"hostile:{KEY}"),
        deadline_seconds=5.0,
        log_level="ERROR",
        log_format="json",
    )
    transport = CurlTransport()
    settings = replace(defaults, **chosen)
    tells = bool(settings.outcome_webhook_url)
    ledger = connect(f"sqlite:///{folder}/ledger.sqlite3", keys=(), retention_seconds=3600, adds_callbacks=tells)
    try:
        yield create_app(settings, ledger=ledger, transport=transport, environ=environ), ledger
    finally:
        ledger.close()
        transport.close()
