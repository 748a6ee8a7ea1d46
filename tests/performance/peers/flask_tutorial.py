"""The way tutorials show it: a token for each request, and httpx's top-level functions, a new client for each call.

gunicorn --worker-class gthread --workers 2 --threads 128 flask_tutorial:app
"""

import os

import httpx
from flask import Flask, abort, jsonify, request

GENESYS_URL = os.environ["GENESYS_URL"]
CLIENT = (os.environ["GENESYS_CLIENT_ID"], os.environ["GENESYS_CLIENT_SECRET"])
API_KEY = os.environ["API_KEY"]

app = Flask(__name__)


def get_token():
    response = httpx.post(f"{GENESYS_URL}/oauth/token", data={"grant_type": "client_credentials"}, auth=CLIENT)
    response.raise_for_status()
    return response.json()["access_token"]


@app.post("/cobrowse")
def start():
    if request.headers.get("X-Api-Key") != API_KEY:
        abort(401)
    conversation_id = request.get_json()["conversationId"]
    headers = {"Authorization": f"Bearer {get_token()}"}

    response = httpx.post(f"{GENESYS_URL}/api/v2/cobrowse/sessions", json={}, headers=headers)
    response.raise_for_status()
    session = response.json()

    response = httpx.post(
        f"{GENESYS_URL}/api/v2/conversations/{conversation_id}/media",
        json={"type": "cobrowse", "cobrowseSessionId": session["id"]},
        headers=headers,
    )
    response.raise_for_status()

    response = httpx.get(f"{GENESYS_URL}/api/v2/conversations/{conversation_id}", headers=headers)
    response.raise_for_status()
    media = response.json()["media"]

    return jsonify(
        success=True,
        conversationId=conversation_id,
        cobrowseSessionId=session["id"],
        joinUrl=session["joinUrl"],
        verified=any(medium.get("cobrowseSessionId") == session["id"] for medium in media),
    )
