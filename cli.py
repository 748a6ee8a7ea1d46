"""What `flask` loads (.flaskenv): the commands alone, so that those which need no setting ask for none."""

from flask import Flask

from commands import doctor, end, initiate, ledger, listen, sandbox, senders
from commands.group import cobrowse

__all__ = ["create_app", "doctor", "end", "initiate", "ledger", "listen", "sandbox", "senders"]


def create_app() -> Flask:
    """An app that has commands and no routes; the service's own is app.create_app."""
    app = Flask("cobrowse-bridge", static_folder=None)
    app.cli.add_command(cobrowse)
    return app
