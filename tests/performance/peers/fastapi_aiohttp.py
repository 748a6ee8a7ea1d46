"""FastAPI and aiohttp, one shared session and a cached token: how an asynchronous service would be written today.

uvicorn fastapi_aiohttp:app --workers 2
"""

import asyncio
import os
import secrets
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated, Literal
from uuid import UUID

import aiohttp
from fastapi import Depends, FastAPI, Header, HTTPException
from pydantic import BaseModel

GENESYS_URL = os.environ["GENESYS_URL"]
CLIENT = aiohttp.BasicAuth(os.environ["GENESYS_CLIENT_ID"], os.environ["GENESYS_CLIENT_SECRET"])
API_KEY = os.environ["API_KEY"]


class StartRequest(BaseModel):
    conversationId: UUID  # noqa: N815
    channel: Literal["webchat", "voice", "message"] | None = None
    requestedBy: str = ""  # noqa: N815


class Genesys:
    def __init__(self, session: aiohttp.ClientSession) -> None:
        self.session = session
        self.token = ""
        self.expires = 0.0
        self.lock = asyncio.Lock()

    async def get_token(self) -> str:
        async with self.lock:
            if time.monotonic() >= self.expires:
                form = {"grant_type": "client_credentials"}
                async with self.session.post(f"{GENESYS_URL}/oauth/token", data=form, auth=CLIENT) as response:
                    answer = await response.json()
                self.token = answer["access_token"]
                self.expires = time.monotonic() + answer["expires_in"] - 60
        return self.token

    async def call(self, method: str, path: str, json: dict | None = None) -> dict:
        headers = {"Authorization": f"Bearer {await self.get_token()}"}
        async with self.session.request(method, f"{GENESYS_URL}{path}", json=json, headers=headers) as response:
            return await response.json()


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    # aiohttp's own limit of 100 connections would be this service's limit too.
    connector = aiohttp.TCPConnector(limit=0)
    timeout = aiohttp.ClientTimeout(total=10)
    async with aiohttp.ClientSession(connector=connector, timeout=timeout, raise_for_status=True) as session:
        app.state.genesys = Genesys(session)
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
    except (aiohttp.ClientError, TimeoutError) as error:
        raise HTTPException(502, str(error)) from error
    return {
        "success": True,
        "conversationId": str(asked.conversationId),
        "cobrowseSessionId": session["id"],
        "joinUrl": session["joinUrl"],
        "verified": any(medium.get("cobrowseSessionId") == session["id"] for medium in shown["media"]),
    }
