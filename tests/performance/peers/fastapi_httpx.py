"""FastAPI and httpx, one shared client and a cached token: the pair that most guides recommend.

uvicorn fastapi_httpx:app --workers 2
"""

import asyncio
import os
import secrets
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated, Literal
from uuid import UUID

import httpx
from fastapi import Depends, FastAPI, Header, HTTPException
from pydantic import BaseModel

CLIENT = (os.environ["GENESYS_CLIENT_ID"], os.environ["GENESYS_CLIENT_SECRET"])
API_KEY = os.environ["API_KEY"]


class StartRequest(BaseModel):
    conversationId: UUID  # noqa: N815
    channel: Literal["webchat", "voice", "message"] | None = None
    requestedBy: str = ""  # noqa: N815


class Genesys:
    def __init__(self, client: httpx.AsyncClient) -> None:
        self.client = client
        self.token = ""
        self.expires = 0.0
        self.lock = asyncio.Lock()

    async def get_token(self) -> str:
        async with self.lock:
            if time.monotonic() >= self.expires:
                form = {"grant_type": "client_credentials"}
                response = await self.client.post("/oauth/token", data=form, auth=CLIENT)
                answer = response.raise_for_status().json()
                self.token = answer["access_token"]
                self.expires = time.monotonic() + answer["expires_in"] - 60
        return self.token

    async def call(self, method: str, path: str, json: dict | None = None) -> dict:
        headers = {"Authorization": f"Bearer {await self.get_token()}"}
        response = await self.client.request(method, path, json=json, headers=headers)
        return response.raise_for_status().json()


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    # httpx's own limits of 100 connections, 20 kept alive, would be this service's limits too.
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=None)
    async with httpx.AsyncClient(base_url=os.environ["GENESYS_URL"], limits=limits, timeout=10) as client:
        app.state.genesys = Genesys(client)
        yield


def authenticate(x_api_key: Annotated[str, Header()]) -> None:
    if not secrets.compare_digest(x_api_key.encode(), API_KEY.encode()):
        raise HTTPException(401)


app = FastAPI(lifespan=lifespan)


@app.post("/cobrowse", dependencies=[Depends(authenticate)])
async def start(asked: StartRequest) -> dict:
    genesys: Genesys = app.state.genesys
    conversation = f"/api/v2/conversations/{asked.conversationId}"
    try:
        session = await genesys.call("POST", "/api/v2/cobrowse/sessions", {})
        medium = {"type": "cobrowse", "cobrowseSessionId": session["id"]}
        await genesys.call("POST", f"{conversation}/media", medium)
        shown = await genesys.call("GET", conversation)
    except httpx.HTTPError as error:
        raise HTTPException(502, str(error)) from error
    return {
        "success": True,
        "conversationId": str(asked.conversationId),
        "cobrowseSessionId": session["id"],
        "joinUrl": session["joinUrl"],
        "verified": any(medium.get("cobrowseSessionId") == session["id"] for medium in shown["media"]),
    }
