"""The service with a ledger that keeps nothing, to measure what the ledger costs. Never run it so.

gunicorn -c gunicorn.conf.py 'tests.performance.without_ledger:create_app()'
"""

import app
from cobrowse.ledger import NullLedger


def create_app():
    return app.create_app(ledger=NullLedger())
