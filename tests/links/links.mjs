// Mints and opens link tokens with Node's crypto; see docs/link-format.md.
// usage: links.mjs mint|open: one JSON object a line in, one a line out.
import { createCipheriv, createDecipheriv, createHmac, randomBytes } from "node:crypto";
import { createInterface } from "node:readline";

const TEXTS = ["account", "campaign", "message", "template", "list", "recipient", "link", "link_name"];
const derive = (key, salt) =>
  createHmac("sha256", Buffer.from(key.secret, "base64url")).update(salt).digest();

function payload(claims) {
  const parts = [Buffer.from([claims.url === undefined ? 2 : 1])];
  const field = (tag, content) => {
    const head = Buffer.alloc(3);
    head.writeUInt8(tag, 0);
    head.writeUInt16BE(content.length, 1);
    parts.push(head, content);
  };
  if (claims.url !== undefined) field(1, Buffer.from(claims.url));
  TEXTS.forEach((name, index) => {
    if (claims[name] !== undefined) field(index + 2, Buffer.from(claims[name]));
  });
  if (claims.link_position !== undefined) {
    const content = Buffer.alloc(4);
    content.writeUInt32BE(claims.link_position);
    field(10, content);
  }
  if (claims.sent_at !== undefined) {
    const content = Buffer.alloc(8);
    content.writeBigUInt64BE(BigInt(claims.sent_at));
    field(11, content);
  }
  for (const [key, value] of claims.meta || []) field(12, Buffer.from(key + "\0" + value));
  return Buffer.concat(parts);
}

function read(data) {
  const claims = {};
  for (let at = 1; at < data.length; ) {
    const tag = data[at];
    const length = data.readUInt16BE(at + 1);
    const content = data.subarray(at + 3, at + 3 + length);
    at += 3 + length;
    if (tag === 1) claims.url = content.toString();
    else if (tag >= 2 && tag <= 9) claims[TEXTS[tag - 2]] = content.toString();
    else if (tag === 10) claims.link_position = content.readUInt32BE(0);
    else if (tag === 11) claims.sent_at = Number(content.readBigUInt64BE(0));
    else if (tag === 12) {
      const text = content.toString();
      const cut = text.indexOf("\0");
      (claims.meta ||= []).push([text.slice(0, cut), text.slice(cut + 1)]);
    }
  }
  return claims;
}

function mint({ key, host, salt, claims }) {
  const salted = salt === undefined ? randomBytes(16) : Buffer.from(salt, "hex");
  const head = Buffer.concat([Buffer.from([1]), Buffer.from(key.id, "hex")]);
  const cipher = createCipheriv("aes-256-gcm", derive(key, salted), Buffer.alloc(12));
  cipher.setAAD(Buffer.concat([head, Buffer.from(host)]));
  const sealed = Buffer.concat([cipher.update(payload(claims)), cipher.final()]);
  return { token: Buffer.concat([head, salted, sealed, cipher.getAuthTag()]).toString("base64url") };
}

function open({ key, host, token }) {
  try {
    if (!/^[A-Za-z0-9_-]+$/.test(token)) return { refused: true };
    const data = Buffer.from(token, "base64url");
    if (data[0] !== 1 || data.subarray(1, 5).toString("hex") !== key.id) return { refused: true };
    const decipher = createDecipheriv("aes-256-gcm", derive(key, data.subarray(5, 21)), Buffer.alloc(12));
    decipher.setAAD(Buffer.concat([data.subarray(0, 5), Buffer.from(host)]));
    decipher.setAuthTag(data.subarray(-16));
    const plain = Buffer.concat([decipher.update(data.subarray(21, -16)), decipher.final()]);
    return { claims: read(plain) };
  } catch {
    return { refused: true };
  }
}

const work = { mint, open }[process.argv[2]];
for await (const line of createInterface({ input: process.stdin })) {
  console.log(JSON.stringify(work(JSON.parse(line))));
}
