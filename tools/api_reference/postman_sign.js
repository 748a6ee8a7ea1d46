// Signs the delivery by the scheme of its sender's row.
const hashes = require("crypto-js");
const secret = pm.variables.get(row.secret);
if (!secret) throw new Error(`Set ${row.secret} in the environment.`);
const now = new Date();
const path = pm.request.url.getPath();
const uri = pm.variables.get("publicBaseUrl") + path;
const parts = {
  body: pm.variables.replaceIn(pm.request.body.raw),
  id: "msg_" + pm.collectionVariables.get("deliveryId"),
  timestamp: {s: String(Math.floor(now / 1000)), ms: String(+now), iso: now.toISOString().slice(0, 19) + "Z"}[row.timestamp_unit],
  method: pm.request.method,
  path,
  uri, decoded_uri: uri,
};
const text = secret.replace(row.secret_prefix, "");
const key = {text: () => text, hex: () => hashes.enc.Hex.parse(text), base64: () => hashes.enc.Base64.parse(text)};
const header = (name) => pm.variables.replaceIn(pm.request.headers.get(name.slice("header:".length)));
const message = row.template.replace(/\{([\w:-]+)\}/g, (_, name) => parts[name] ?? header(name));
const algorithm = row.algorithm.toUpperCase();
const mac = row.construction === "hash" ? hashes[algorithm](secret + message)
  : hashes["Hmac" + algorithm](message, key[row.secret_encoding]());
const encoded = hashes.enc[row.encoding === "hex" ? "Hex" : "Base64"].stringify(mac);
const format = row.signature_format || row.prefix + "{signature}";
const signature = format.replace("{timestamp}", parts.timestamp).replace("{signature}", encoded);
const headers = [[row.header, signature], [row.timestamp_header, parts.timestamp], [row.id_header, parts.id]];
headers.filter(([name]) => name).forEach(([name, value]) => pm.request.headers.upsert({key: name, value: value}));
