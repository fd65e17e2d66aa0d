#!/usr/bin/env python3
"""Makes keys.json: known answers for the derivations of PROTOCOL.md, by another implementation.

Nothing here is shared with the Rust code: hashlib, hmac, Python's `cryptography` (AES-GCM, Ed25519,
Argon2id) and curve arithmetic written out. Run it to see that keys.json is what it gives:

    python3 keys.py --check
"""

import hashlib
import hmac
import json
import pathlib
import struct
import sys

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id

FILE = pathlib.Path(__file__).with_name("keys.json")


def h(*parts):
    return hashlib.sha256(b"".join(parts)).digest()


def mac(key, *parts):
    return hmac.new(key, b"".join(parts), hashlib.sha256).digest()


def kdf(ikm, label, context, n):
    prk = mac(bytes(32), ikm)
    info = b"wiremin/1 " + label.encode() + b"\0" + context
    out, block = b"", b""
    for count in range(1, 256):
        if len(out) >= n:
            break
        block = mac(prk, block, info, bytes([count]))
        out += block
    return out[:n]


def nonce(key, fresh, aad, text):
    return mac(key, b"wm-nonce", fresh, h(aad), h(text))[:12]


def seal(key, fresh, aad, text):
    n = nonce(key, fresh, aad, text)
    return n + AESGCM(key).encrypt(n, text, aad)


def pad(text, n):
    return struct.pack("<H", len(text)) + text + bytes(n - 2 - len(text))


def hedge(fresh, label, bound):
    return kdf(fresh + b"".join(h(part) for part in bound), "hedge", label.encode(), 64)


def public(secret):
    return Ed25519PrivateKey.from_private_bytes(secret).public_key().public_bytes_raw()


def sign(secret, text):
    return Ed25519PrivateKey.from_private_bytes(secret).sign(text)


def agree_public(secret):
    return X25519PrivateKey.from_private_bytes(secret).public_key().public_bytes_raw()


def agree(secret, their):
    return X25519PrivateKey.from_private_bytes(secret).exchange(
        X25519PublicKey.from_public_bytes(their))


def base32(bits):
    letters = "abcdefghijklmnopqrstuvwxyz234567"
    return "".join(letters[int(bits[at : at + 5], 2)] for at in range(0, len(bits), 5))


# Edwards25519 in affine coordinates, slow and plain (RFC 8032, section 5.1).
P = 2**255 - 19
L = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, -1, P) % P


def add(a, b):
    (x1, y1), (x2, y2) = a, b
    k = D * x1 * x2 * y1 * y2 % P
    x = (x1 * y2 + x2 * y1) * pow(1 + k, -1, P) % P
    y = (y1 * y2 + x1 * x2) * pow(1 - k, -1, P) % P
    return x, y


def times(n, point):
    out = (0, 1)
    while n:
        if n & 1:
            out = add(out, point)
        point, n = add(point, point), n >> 1
    return out


def encode(point):
    return (point[1] | (point[0] & 1) << 255).to_bytes(32, "little")


def decode(text):
    y = int.from_bytes(text, "little")
    sign_bit, y = y >> 255, y & (2**255 - 1)
    xx = (y * y - 1) * pow(D * y * y + 1, -1, P) % P
    x = pow(xx, (P + 3) // 8, P)
    if (x * x - xx) % P:
        x = x * pow(2, (P - 1) // 4, P) % P
    assert (x * x - xx) % P == 0
    return (P - x if x & 1 != sign_bit else x), y


BASE = decode((4 * pow(5, -1, P) % P).to_bytes(32, "little"))


def clamp(text):
    n = bytearray(text)
    n[0] &= 248
    n[31] = n[31] & 63 | 64
    return int.from_bytes(n, "little")


def blind_sign(secret, factor, text):
    expanded = hashlib.sha512(secret).digest()
    scalar = clamp(expanded[:32]) * clamp(factor) % L
    tweak = b"Derive temporary signing key hash input"
    prefix = hashlib.sha512(tweak + expanded[32:]).digest()[:32]
    key = encode(times(scalar, BASE))
    r = int.from_bytes(hashlib.sha512(prefix + text).digest(), "little") % L
    commit = encode(times(r, BASE))
    k = int.from_bytes(hashlib.sha512(commit + key + text).digest(), "little") % L
    return key, commit + ((r + k * scalar) % L).to_bytes(32, "little")


def fixed(name, n):
    """Inputs that look random and are the same each time."""
    return hashlib.shake_256(b"wiremin vectors " + name.encode()).digest(n)


def size_class(n):
    size = 64
    while True:
        if n <= size:
            return size
        if n <= size * 3 // 2:
            return size * 3 // 2
        size *= 2


def primitives():
    key, fresh = fixed("key", 32), fixed("fresh", 32)
    aad, text = b"associated", b"the text that is sealed"
    factor = fixed("blinding factor", 32)
    signer = fixed("blinded secret", 32)
    blinded, signature = blind_sign(signer, factor, b"signed under the blinded key")
    assert encode(times(clamp(factor), decode(public(signer)))) == blinded
    return {
        "kdf": [
            {"ikm": ikm, "label": label, "context": context, "out": kdf(ikm, label, context, n)}
            for ikm, label, context, n in [
                (b"", "", b"", 32),
                (b"input", "account key", b"", 32),
                (fixed("ikm", 64), "greeting", b"context", 104),
            ]
        ],
        "nonce": {"key": key, "fresh": fresh, "aad": aad, "text": text,
                  "nonce": nonce(key, fresh, aad, text)},
        "seal": {"key": key, "fresh": fresh, "aad": aad, "text": text,
                 "sealed": seal(key, fresh, aad, text)},
        "pad": {"text": text, "len": 40, "padded": pad(text, 40)},
        "hedge": {"fresh": fresh, "label": "opener", "bound": [b"one", b"", text],
                  "out": hedge(fresh, "opener", [b"one", b"", text])},
        "blind": {"secret": signer, "public": public(signer), "h": factor, "blinded": blinded,
                  "text": b"signed under the blinded key", "signature": signature},
    }


def identity(seed):
    secret = kdf(seed, "account key", b"", 32)
    key = public(secret)
    bits = "".join(f"{byte:08b}" for byte in seed)
    check = f"{h(b'wm-id', key)[0]:08b}"[:4]
    device, slot, hour = public(fixed("device", 32)), 5, 498_000
    signed = bytes([slot]) + device + struct.pack("<I", hour + 192)
    words = (FILE.parents[1] / "account/words/english.txt").read_text().split()
    indices = [int(bits[at : at + 12], 2) for at in range(0, 216, 12)]
    recovery, other = kdf(seed, "recovery key", b"", 32), fixed("other account", 32)
    their_recovery = fixed("other recovery", 32)
    shared = agree(recovery, agree_public(their_recovery))
    assert shared == agree(their_recovery, agree_public(recovery))
    return {
        "seed": seed,
        "checksum": int.from_bytes(h(b"wm-chk", seed)[:2], "big") < 16,
        "indices": indices,
        "words": " ".join(words[index] for index in indices),
        "account_secret": secret,
        "account_public": key,
        "record_key": kdf(seed, "record key", b"", 32),
        "recovery_key": recovery,
        "recovery_public": agree_public(recovery),
        "return": {"other": public(other), "other_recovery": agree_public(their_recovery),
                   "shared": shared, "to": kdf(shared, "return", key + public(other), 32),
                   "back": kdf(shared, "return", public(other) + key, 32)},
        "id": base32("".join(f"{byte:08b}" for byte in key) + check),
        "certificate": {"slot": slot, "device": device, "hour": hour,
                        "bytes": signed + sign(secret, b"wm-device" + signed)},
    }


def device(account):
    passcode, salt, fresh = "correct horse", fixed("salt", 16), fixed("vault fresh", 32)
    memory, passes, lanes = 64 * 1024, 3, 1
    cost = struct.pack("<III", memory, passes, lanes)
    derived = Argon2id(salt=salt, length=32, iterations=passes, lanes=lanes,
                       memory_cost=memory).derive(passcode.encode())
    data, remember = fixed("data key", 32), fixed("remember", 32)
    since = 1_790_000_000_000
    until = since + 20 * 3_600_000
    wrapped = seal(kdf(derived, "vault passcode", b"", 32), fresh,
                   b"wm-vault\x01" + account + cost + salt, data)
    kept = seal(kdf(remember, "vault remember", b"", 32), fresh,
                b"wm-remember\x01" + account + struct.pack("<QQ", since, until), data)
    row = (b"\x01" + struct.pack("<H", 1) + account + cost + salt + wrapped
           + struct.pack("<IQ", 0, 0) + b"\x01" + kept + struct.pack("<QQQ", since, until, since))

    table, key, value = 2, b"conversation", b"a value of a row"
    located = mac(kdf(data, "row locate", bytes([table]), 32), key)[:16]
    text = bytes([len(key)]) + struct.pack("<I", len(value)) + key + value
    text += bytes(size_class(len(text)) - len(text))
    sealed = seal(kdf(data, "row seal", bytes([table]), 32), fresh,
                  b"wm-row\x01" + bytes([table]) + located, text)

    header = b"WireMin export\x01" + cost + salt
    chunk_key = kdf(derived, "export", header, 32)
    big = bytes(at % 251 for at in range(20_000))
    rows = [(1, b"profile", b"a name"), (2, b"big", big)]
    plain = b"".join(bytes([t, len(k)]) + struct.pack("<I", len(v)) + k + v for t, k, v in rows)
    plain += bytes(-len(plain) % 16_384)
    chunks = [plain[at : at + 16_384] for at in range(0, len(plain), 16_384)]
    export = header + kdf(derived, "export check", header, 32)[:16]
    for at, chunk in enumerate(chunks):
        aad = b"wm-export" + struct.pack("<I", at) + bytes([at + 1 == len(chunks)])
        export += seal(chunk_key, bytes([at + 1]) * 32, aad, chunk)
    return {
        "argon2id": {"passcode": passcode, "salt": salt, "memory_kib": memory, "passes": passes,
                     "lanes": lanes, "derived": derived},
        "vault": {"account": account, "data": data, "fresh": fresh, "remember": remember,
                  "since": since, "row": row},
        "row": {"table": table, "key": key, "value": value, "fresh": fresh, "located": located,
                "sealed": sealed},
        "export": {"file": export},
    }


def good_seed():
    count = 0
    while True:
        seed = fixed(f"seed {count}", 27)
        if int.from_bytes(h(b"wm-chk", seed)[:2], "big") < 16:
            return seed
        count += 1


def plain(value):
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, dict):
        return {name: plain(part) for name, part in value.items()}
    if isinstance(value, list):
        return [plain(part) for part in value]
    return value


def main():
    identities = [identity(good_seed()), identity(bytes(range(27)))]
    vectors = {"about": "Made by keys.py; bytes are hex.", "primitives": primitives(),
               "identities": identities, "device": device(identities[0]["account_public"])}
    text = json.dumps(plain(vectors), indent=1) + "\n"
    if "--check" in sys.argv:
        sys.exit(0 if FILE.read_text() == text else "keys.json differs from what keys.py gives")
    FILE.write_text(text)


if __name__ == "__main__":
    main()
