// A small Node server, a process per core: its own http in front, its own fetch (kept-alive connections) behind.
//
//     node node_server.mjs        (18 or newer)

import cluster from "node:cluster";
import { createServer } from "node:http";
import { availableParallelism } from "node:os";

const { GENESYS_URL, GENESYS_CLIENT_ID, GENESYS_CLIENT_SECRET, API_KEY, PORT } = process.env;
const CLIENT = Buffer.from(`${GENESYS_CLIENT_ID}:${GENESYS_CLIENT_SECRET}`).toString("base64");
const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

let token = null;

function getToken() {
  if (token === null || Date.now() >= token.expires) {
    token = { expires: Infinity, value: fetchToken() };
    token.value.catch(() => (token = null));
  }
  return token.value;
}

async function fetchToken() {
  const response = await fetch(`${GENESYS_URL}/oauth/token`, {
    method: "POST",
    headers: { Authorization: `Basic ${CLIENT}` },
    body: new URLSearchParams({ grant_type: "client_credentials" }),
  });
  if (!response.ok) throw new Error(`token: ${response.status}`);
  const answer = await response.json();
  token.expires = Date.now() + (answer.expires_in - 60) * 1000;
  return answer.access_token;
}

async function call(method, path, body) {
  const response = await fetch(GENESYS_URL + path, {
    method,
    headers: { Authorization: `Bearer ${await getToken()}`, "Content-Type": "application/json" },
    body: body === undefined ? undefined : JSON.stringify(body),
    signal: AbortSignal.timeout(10_000),
  });
  if (!response.ok) throw new Error(`${method} ${path}: ${response.status}`);
  return response.json();
}

async function start(conversationId) {
  const conversation = `/api/v2/conversations/${conversationId}`;
  const session = await call("POST", "/api/v2/cobrowse/sessions", {});
  await call("POST", `${conversation}/media`, { type: "cobrowse", cobrowseSessionId: session.id });
  const shown = await call("GET", conversation);
  return {
    success: true,
    conversationId,
    cobrowseSessionId: session.id,
    joinUrl: session.joinUrl,
    verified: shown.media.some((medium) => medium.cobrowseSessionId === session.id),
  };
}

async function readJson(request) {
  const chunks = [];
  for await (const chunk of request) chunks.push(chunk);
  return JSON.parse(Buffer.concat(chunks).toString());
}

async function answer(request) {
  if (request.method !== "POST" || request.url !== "/cobrowse") return [404, { error: "not found" }];
  if (request.headers["x-api-key"] !== API_KEY) return [401, { error: "wrong key" }];
  let asked;
  try {
    asked = await readJson(request);
  } catch {
    return [400, { error: "not JSON" }];
  }
  if (!UUID.test(asked.conversationId)) return [422, { error: "conversationId: not a UUID" }];
  try {
    return [200, await start(asked.conversationId)];
  } catch (error) {
    return [502, { error: String(error) }];
  }
}

if (cluster.isPrimary) {
  for (let i = 0; i < availableParallelism(); i++) cluster.fork();
} else {
  createServer(async (request, response) => {
    const [status, content] = await answer(request);
    const body = Buffer.from(JSON.stringify(content));
    response.writeHead(status, { "Content-Type": "application/json", "Content-Length": body.length });
    response.end(body);
  }).listen(Number(PORT), "127.0.0.1");
}
