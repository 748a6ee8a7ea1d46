"""How a CRM asks for a cobrowse session: one signed webhook, with `requests` and Standard Webhooks.

    pip install requests standardwebhooks
    BRIDGE_URL=https://cobrowse.example.com CRM_SECRET=whsec_… python crm_webhook.py CONVERSATION_ID CASE_ID

The service has a row for it (senders.example.toml, [senders.crm]).
"""

import json
import os
import sys
from datetime import UTC, datetime

import requests
from standardwebhooks import Webhook


def start_cobrowse(bridge_url, secret, conversation_id, case_id, agent=""):
    """Ask for a session in this conversation. Asked again for the same case, it gets the same answer."""
    webhook_id = f"case-{case_id}-cobrowse"
    now = datetime.now(UTC)
    body = json.dumps({"type": "cobrowse.wanted", "data": {"conversationId": conversation_id, "agent": agent}})
    headers = {
        "Content-Type": "application/json",
        "webhook-id": webhook_id,
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": Webhook(secret).sign(webhook_id, now, body),
    }
    # What is sent must be the very bytes that were signed: data=, not json=.
    return requests.post(f"{bridge_url}/webhooks/crm", data=body.encode(), headers=headers, timeout=15).json()


if __name__ == "__main__":
    if len(sys.argv) != 3 or not {"BRIDGE_URL", "CRM_SECRET"} <= os.environ.keys():
        sys.exit(__doc__)
    answer = start_cobrowse(os.environ["BRIDGE_URL"], os.environ["CRM_SECRET"], *sys.argv[1:3])
    if answer["success"]:
        print(f"{answer['status']}: {answer['joinUrl'] or answer['joinCode']}")
    else:
        sys.exit(f"{answer['errorCode']}: {answer['errorMessage']}\n{answer['errorHint']}")
