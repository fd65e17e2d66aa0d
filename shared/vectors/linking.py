#!/usr/bin/env python3
"""Makes linking.json: known answers for PROTOCOL.md section 15, by another implementation.

As keys.py, whose primitives it uses, it shares nothing with the Rust code. X-Wing itself has the draft's
vectors; here the ciphertext and its secret are inputs, and the key is bytes that pass for one.

    python3 linking.py --check
"""

import base64
import json
import pathlib
import struct
import sys

from keys import agree_public, fixed, h, kdf, pad, plain, public, seal, sign
from session import okm, tag, u16, u32
from wire import header

FILE = pathlib.Path(__file__).with_name("linking.json")
ACCOUNT, OLD, NEW = fixed("account", 32), fixed("old device", 32), fixed("new device", 32)
TIME = 1_728_043_200
NETWORK, EXPIRY = 7, TIME // 3600 + 49


def kem_public():
    """768 coefficients below 3329, of 12 bits each, rho[32], an X25519 key[32]."""
    drawn = fixed("coefficients", 2 * 768)
    bits = 0
    for at in range(768):
        bits |= struct.unpack_from("<H", drawn, 2 * at)[0] % 3329 << 12 * at
    return bits.to_bytes(1152, "little") + fixed("rho", 32) + agree_public(fixed("x25519", 32))


def head(major, n):
    if n < 24:
        return bytes([major << 5 | n])
    if n < 256:
        return bytes([major << 5 | 24, n])
    if n < 1 << 16:
        return bytes([major << 5 | 25]) + struct.pack(">H", n)
    return bytes([major << 5 | 27]) + struct.pack(">Q", n)


def cbor(value):
    if isinstance(value, bool):
        return bytes([0xf4 + value])
    if isinstance(value, int):
        return head(0, value)
    if isinstance(value, list):
        return head(4, len(value)) + b"".join(cbor(each) for each in value)
    if isinstance(value, bytes):
        return head(2, len(value)) + value
    if isinstance(value, str):
        return head(3, len(value.encode())) + value.encode()
    return head(5, len(value)) + b"".join(cbor(k) + cbor(v) for k, v in value.items())


def envelope(secret, number, size, inner):
    """The outer seal of what is sealed already."""
    step = okm(secret, "link step", u32(number))
    address = struct.unpack("<I", kdf(secret, "link address", b"", 4))[0]
    start = header(0, size, 3, 0, EXPIRY, address, NETWORK, bytes(16), b"")[:16]
    body = seal(step["key"], fixed(f"outer {number}", 32), start, inner)
    assert len(body) == 1024 << size
    raw = header(0, size, 3, 0, EXPIRY, address, NETWORK, tag(step, body), body) + bytes(8)
    return {"number": number, "locator": step["locator"], "header": raw, "body": body}


def sealed(key, name, text, size, ahead=b""):
    room = (1024 << size) - 28 - len(ahead) - 28
    return ahead + seal(key, fixed(name, 32), b"", pad(text, room))


def main():
    key, secret = kem_public(), fixed("code secret", 16)
    nonce_n, nonce_o = fixed("nonce n", 32), fixed("nonce o", 32)
    rest = cbor({0: public(NEW), 1: "Zoë's browser", 2: 1, 3: fixed("kem hash", 32)})
    device = nonce_n + rest
    commitment = h(b"wm-link-commit", key, nonce_n, h(rest))

    hints = [bytes([4, 192, 0, 2, n]) + u16(4433) + fixed(f"certificate {n}", 32)
             + fixed(f"node {n}", 32) for n in (1, 2)]
    code = bytes([1]) + h(key) + commitment + secret + u32(TIME) + bytes([2]) + b"".join(hints)
    all_of_it = code + h(b"wm-link-code", code)[:4]
    text = "wiremin:link/" + base64.urlsafe_b64encode(all_of_it).decode().rstrip("=")

    certificate = bytes([0]) + public(OLD) + u32(TIME // 3600 + 192)
    certificate += sign(ACCOUNT, b"wm-device" + certificate)
    hello = cbor({0: nonce_o, 1: public(ACCOUNT), 2: certificate, 3: "Ada"})
    ct, ss = fixed("link ct", 1120), fixed("link ss", 32)
    met = h(code) + h(ct)
    hello_key = kdf(ss + secret, "link 1", met, 32)
    device_key = kdf(ss, "link 2", met + h(hello), 32)
    transcript = h(b"wm-link-transcript", met, h(hello), h(device))
    number = int.from_bytes(h(b"wm-link-number", transcript)[:8], "big") % 1_000_000
    word_key = kdf(ss, "link 3", transcript, 32)
    words = [cbor({0: word}) for word in (0, 1, 2)]

    # A bundle of one part; what it says does not matter here.
    bundle = fixed("bundle", 1_000)
    chunk_keys = [{"number": n, "last": last, "key": kdf(ss, "link 4", transcript + u16(n) + bytes([last]), 32)}
                  for n, last in ((0, True), (0, False), (513, True))]
    chunk = sealed(chunk_keys[0]["key"], "chunk", u32(len(bundle)) + bundle, 4)

    # A message of a conversation that a bundle has: one of ours that is on its way.
    copy = cbor([1, public(OLD), fixed("message id", 16), True, "Grüße", TIME * 1000, 7, TIME * 1000 + 5, 0])

    vectors = {
        "about": "Made by linking.py; bytes are hex.",
        "key": key, "secret": secret, "time": TIME, "hints": hints, "code": text,
        "code_hash": h(code), "address": kdf(secret, "link address", b"", 4),
        "commitment": commitment, "device": device, "hello": hello, "ct": ct, "ss": ss,
        "hello_key": hello_key, "device_key": device_key, "transcript": transcript,
        "number": number, "word_key": word_key, "words": words, "chunk_keys": chunk_keys,
        "bundle": bundle, "message": copy,
        "key_envelope": envelope(secret, 0, 1, pad(key, 2048 - 28)),
        "hello_envelope": envelope(secret, 1, 1, sealed(hello_key, "hello", hello, 1, ct)),
        "device_envelope": envelope(secret, 2, 0, sealed(device_key, "told", device, 0)),
        "word_envelope": envelope(secret, 3, 0, sealed(word_key, "word", words[1], 0)),
        "chunk_envelope": envelope(secret, 4, 4, chunk),
    }
    made = json.dumps(plain(vectors), indent=1) + "\n"
    if "--check" in sys.argv:
        sys.exit(0 if FILE.read_text() == made else "linking.json differs from what linking.py gives")
    FILE.write_text(made)


if __name__ == "__main__":
    main()
