"""Mints and opens link tokens with Python's cryptography; see docs/link-format.md.

usage: links.py mint|open < case.json: one JSON object in, one out.
"""
import base64
import hashlib
import hmac
import json
import os
import sys

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

TEXTS = ["account", "campaign", "message", "template", "list", "recipient", "link", "link_name"]


def encode(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def decode(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def payload(claims):
    def field(tag, content):
        return bytes([tag]) + len(content).to_bytes(2, "big") + content

    out = bytes([1 if "url" in claims else 2])
    if "url" in claims:
        out += field(1, claims["url"].encode())
    for tag, name in enumerate(TEXTS, 2):
        if name in claims:
            out += field(tag, claims[name].encode())
    if "link_position" in claims:
        out += field(10, claims["link_position"].to_bytes(4, "big"))
    if "sent_at" in claims:
        out += field(11, claims["sent_at"].to_bytes(8, "big"))
    for key, value in claims.get("meta", []):
        out += field(12, key.encode() + b"\0" + value.encode())
    return out


def claims(data):
    out, at = {}, 1
    while at < len(data):
        tag, length = data[at], int.from_bytes(data[at + 1 : at + 3], "big")
        content = data[at + 3 : at + 3 + length]
        at += 3 + length
        if tag == 1:
            out["url"] = content.decode()
        elif tag in range(2, 10):
            out[TEXTS[tag - 2]] = content.decode()
        elif tag == 10:
            out["link_position"] = int.from_bytes(content, "big")
        elif tag == 11:
            out["sent_at"] = int.from_bytes(content, "big")
        elif tag == 12:
            out.setdefault("meta", []).append(content.decode().split("\0", 1))
    return out


def cipher(key, salt):
    return AESGCM(hmac.new(decode(key["secret"]), salt, hashlib.sha256).digest())


def mint(case):
    salt = bytes.fromhex(case["salt"]) if "salt" in case else os.urandom(16)
    head = b"\1" + bytes.fromhex(case["key"]["id"])
    sealed = cipher(case["key"], salt).encrypt(
        bytes(12), payload(case["claims"]), head + case["host"].encode()
    )
    return {"token": encode(head + salt + sealed)}


def open_(case):
    try:
        data = decode(case["token"])
        if data[0] != 1 or data[1:5] != bytes.fromhex(case["key"]["id"]):
            return {"refused": True}
        plain = cipher(case["key"], data[5:21]).decrypt(
            bytes(12), data[21:], data[:5] + case["host"].encode()
        )
        return {"claims": claims(plain)}
    except Exception:
        return {"refused": True}


def main():
    work = {"mint": mint, "open": open_}[sys.argv[1]]
    for line in sys.stdin:
        print(json.dumps(work(json.loads(line))))


main()
