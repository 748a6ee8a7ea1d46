// Signs the delivery by the scheme of its sender's row.
const hashes = require("crypto-js");
const secret = pm.variables.get(row.secret);
if (!secret) throw new Error(`Set ${row.secret} in the environment.`);
const now = new Date();
const seconds = now.toISOString().slice(0, 19);
const uri = pm.variables.get("publicBaseUrl") + row.path;
const parts = {
  body: pm.variables.replaceIn(pm.request.body.raw),
  id: "msg_" + pm.collectionVariables.get("deliveryId"),
  timestamp: {s: String(Math.floor(now / 1000)), ms: String(+now), iso: seconds + "Z"}[row.timestamp_unit],
  method: pm.request.method,
  path: row.path,
  uri: uri,
  decoded_uri: uri,
};
const key = row.secret_prefix ? hashes.enc.Base64.parse(secret.replace(row.secret_prefix, "")) : secret;
const message = row.template.replace(/\{(\w+)\}/g, (_, name) => parts[name]);
const mac = hashes["Hmac" + row.algorithm.toUpperCase()](message, key);
const signature = row.prefix + hashes.enc[row.encoding === "hex" ? "Hex" : "Base64"].stringify(mac);
const headers = [[row.header, signature], [row.timestamp_header, parts.timestamp], [row.id_header, parts.id]];
headers.filter(([name]) => name).forEach(([name, value]) => pm.request.headers.upsert({key: name, value: value}));
