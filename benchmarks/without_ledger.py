"""The service with a ledger that keeps nothing, to see what the ledger costs: never a way to run it.

gunicorn -c gunicorn.conf.py --pythonpath benchmarks 'without_ledger:create_app()'
"""

from flask import Flask

import app
from cobrowse.ledger import NoLedger


def create_app() -> Flask:
    return app.create_app(ledger=NoLedger())
