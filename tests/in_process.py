"""The service inside this process, on a sandbox: for tests that look at its answers and not at its sockets."""

import contextlib
from dataclasses import replace
from types import MappingProxyType

from app import create_app
from cobrowse.model import Secret
from integrations.genesys.transport import CurlTransport
from integrations.ledger import connect
from settings import Settings

KEY = "hostile-key-0123456789abcdef"


@contextlib.contextmanager
def service(genesys, folder, environ=MappingProxyType({}), transport=None, **chosen):
    """The app and its ledger, both of its own, until the block ends. `environ` holds its senders' secrets."""
    defaults = Settings(
        genesys_api_url=genesys,
        genesys_login_url=genesys,
        api_keys=Secret(f"hostile:{KEY}"),
        deadline_seconds=5.0,
        log_level="ERROR",
        log_format="json",
    )
    settings = replace(defaults, **chosen)
    tells = bool(settings.outcome_webhook_url)
    with contextlib.ExitStack() as stack:
        if transport is None:
            transport = CurlTransport()
            stack.callback(transport.close)
        ledger = connect(f"sqlite:///{folder}/ledger.sqlite3", keys=(), retention_seconds=3600, adds_callbacks=tells)
        stack.callback(ledger.close)
        app = create_app(settings, ledger=ledger, transport=transport, environ=environ)
        stack.callback(app.extensions["recorder"].flush)  # what it writes a second later would open the ledger again
        yield app, ledger
