#!/usr/bin/env python3
"""Makes session.json: known answers for PROTOCOL.md sections 4 to 6 and 14, by another implementation.

As keys.py, whose primitives it uses, it shares nothing with the Rust code. X-Wing itself has the draft's
vectors; here its ciphertexts and secrets are inputs.

    python3 session.py --check
"""

import base64
import json
import pathlib
import struct
import sys

from keys import agree, agree_public, blind_sign, fixed, h, hedge, kdf, mac, pad, plain, public, seal, sign
from wire import header

FILE = pathlib.Path(__file__).with_name("session.json")
INVITER, GREETER = fixed("inviter", 32), fixed("greeter", 32)
A, G = public(INVITER), public(GREETER)
DEVICE = fixed("device", 32)


def u16(n):
    return struct.pack("<H", n)


def u32(n):
    return struct.pack("<I", n)


def u64(n):
    return struct.pack("<Q", n)


def okm(ikm, label, context):
    out = kdf(ikm, label, context, 104)
    return {"locator": out[:8], "mac": out[8:40], "key": out[40:72], "next": out[72:]}


def tag(step, body):
    return step["locator"] + mac(step["mac"], h(body)[:8])[:8]


def record():
    read, slot, period, version, expiry, network = fixed("read", 32), 1, 667, 9, 480300, 7
    factor = h(b"wm-blind", A, read, u16(slot), u32(period))
    blinded, _ = blind_sign(INVITER, factor, b"")
    place = h(b"wm-rec-addr", blinded, u16(slot))
    address = struct.unpack("<I", place[:4])[0]
    start = header(2, 1, 4, 3, expiry, address, network, place[4:20], b"")[:16]
    bound = blinded + u16(slot) + u64(version)
    key = kdf(read, "record", bound, 32)
    fresh, text = fixed("fresh", 32), b"a record"
    sealed = seal(key, fresh, start + bound, pad(text, 2048 - 218 - 16))
    front = bound + bytes(100)
    _, signature = blind_sign(INVITER, factor, b"wm-record" + start + front + sealed)
    body = front + signature + sealed
    raw = header(2, 1, 4, 3, expiry, address, network, place[4:20], body) + bytes(8)
    return {"account": INVITER, "read": read, "slot": slot, "period": period, "version": version,
            "expiry": expiry, "network": network, "effort": 3, "fresh": fresh, "text": text,
            "header": raw, "body": body}


def delegation():
    """Leave for a device to write slot 2 in one period, and what it writes with it."""
    read, slot, period, version, expiry, network = fixed("read", 32), 2, 667, 10, 484680, 7
    until = (period + 1) * 720 + 4320 + 2
    factor = h(b"wm-blind", A, read, u16(slot), u32(period))
    blinded, _ = blind_sign(INVITER, factor, b"")
    leave = public(DEVICE) + u32(until)
    _, signature = blind_sign(INVITER, factor, b"wm-delegate" + blinded + u16(slot) + leave)
    leave += signature
    place = h(b"wm-rec-addr", blinded, u16(slot))
    address = struct.unpack("<I", place[:4])[0]
    start = header(2, 0, 7, 0, expiry, address, network, place[4:20], b"")[:16]
    bound = blinded + u16(slot) + u64(version)
    # {0: "Zoë", 1: "about", 3: 1728000000123}
    text = bytes([0xa3, 0, 0x64]) + "Zoë".encode() + bytes([1, 0x65]) + b"about"
    text += bytes([3, 0x1b]) + struct.pack(">Q", 1728000000123)
    fresh = fixed("fresh", 32)
    sealed = seal(kdf(read, "record", bound, 32), fresh, start + bound, pad(text, 1024 - 218 - 16))
    front = bound + leave
    body = front + sign(DEVICE, b"wm-record" + start + front + sealed) + sealed
    raw = header(2, 0, 7, 0, expiry, address, network, place[4:20], body) + bytes(8)
    return {"account": INVITER, "device": DEVICE, "read": read, "slot": slot, "period": period,
            "version": version, "expiry": expiry, "network": network, "until": until,
            "leave": leave, "fresh": fresh, "name": "Zoë", "about": "about",
            "time": 1728000000123, "text": text, "header": raw, "body": body}


def invitation():
    secret, expiry = fixed("invite secret", 16), 480168
    hint = bytes([4, 192, 0, 2, 1]) + u16(4433) + fixed("certificate", 32) + fixed("node", 32)
    link = bytes([1, 1]) + A + secret + u32(expiry) + bytes([1]) + hint
    link += h(b"wm-inv", link)[:4]
    read = kdf(secret, "invite read", A, 32)
    factor = h(b"wm-blind", A, read, u16(16), u32(0))
    blinded, _ = blind_sign(INVITER, factor, b"")
    return {"inviter": A, "secret": secret, "expiry": expiry, "hint": hint,
            "fragment": base64.urlsafe_b64encode(link).decode().rstrip("="),
            "id": h(b"wm-invite-id", secret)[:16],
            "tag": h(b"wm-rec-addr", blinded, u16(16))[4:20],
            "greetings": [okm(secret, "greeting", A + bytes([j])) for j in (0, 63)]}


def handshake():
    secret = fixed("invite secret", 16)
    ct1, ss1, ct2, ss2 = fixed("ct1", 1120), fixed("ss1", 32), fixed("ct2", 1120), fixed("ss2", 32)
    greeting, acceptance = fixed("greeting", 700), fixed("acceptance", 500)
    parts = [A, h(secret), h(ct1), h(greeting)]
    transcript = h(b"wm-pair", A, G, h(secret), h(ct1), h(greeting))
    pre = kdf(ss1, "pair pre", transcript, 32)
    return {
        "device": DEVICE, "inviter": A, "greeter": G, "secret": secret,
        "ct1": ct1, "ss1": ss1, "ct2": ct2, "ss2": ss2,
        "greeting": greeting, "acceptance": acceptance,
        "greeting_inner": kdf(ss1, "greeting inner", h(ct1), 32),
        "greeting_signature": sign(DEVICE, b"wm-greeting" + b"".join(parts)),
        "transcript": transcript, "pre": pre,
        "step": okm(pre, "acceptance", b""),
        "acceptance_inner": kdf(ss2 + pre, "acceptance inner", h(ct2), 32),
        "acceptance_signature": sign(
            DEVICE, b"wm-acceptance" + A + G + transcript + h(ct2) + h(acceptance)),
        "rz": kdf(ss1 + ss2, "pair", transcript + h(ct2), 32),
    }


def comeback():
    # The greeter comes back to the inviter.
    recovery, their_recovery = fixed("recovery", 32), agree_public(fixed("their recovery", 32))
    rt = kdf(agree(recovery, their_recovery), "return", G + A, 32)
    ct, ss, text, epoch, j = fixed("ct", 1120), fixed("ss", 32), fixed("return", 700), 20000, 3
    which = u32(epoch) + bytes([j])
    transcript = h(b"wm-pair", A, G, h(rt), h(ct), h(text))
    return {
        "account": GREETER, "from": G, "to": A, "recovery": recovery,
        "their_recovery": their_recovery, "rt": rt, "epoch": epoch, "j": j,
        "step": okm(rt, "return step", which), "ct": ct, "ss": ss, "return": text,
        "inner": kdf(ss, "return inner", h(ct), 32),
        "signature": sign(GREETER, b"wm-return" + A + which + h(ct) + h(text)),
        "transcript": transcript, "pre": kdf(ss, "pair pre", transcript, 32),
    }


def pair():
    rz, epoch = fixed("rz", 32), 20000
    steps = [rz]
    for e in range(epoch + 1, epoch + 4):
        steps.append(kdf(steps[-1], "pair next", u32(e), 32))
    fresh, message = fixed("fresh pair", 32), fixed("message id", 16)
    proposed = kdf(steps[3] + fresh, "pair fresh", message, 32)
    return {"rz": rz, "epoch": epoch, "id": kdf(rz, "pair id", b"", 8), "next": steps[1:],
            "fresh": fresh, "message_id": message, "proposed": proposed,
            "proposed_id": kdf(proposed, "pair id", b"", 8)}


def opener():
    rz, ct, ss = fixed("rz", 32), fixed("ct", 1120), fixed("ss", 32)
    direction, device, counter, epoch = 1, 3, 258, 20000
    who = bytes([direction, device]) + u32(counter) + u32(epoch)
    s0 = kdf(ss + rz, "chain", who + h(ct), 32)
    return {"rz": rz, "ct": ct, "ss": ss, "direction": direction, "device": device,
            "counter": counter, "epoch": epoch, "step": okm(rz, "opener", who),
            "inner": kdf(ss + rz, "opener inner", who + h(ct), 32),
            "s0": s0, "chain_id": kdf(s0, "chain id", b"", 16)}


def chain():
    s0 = fixed("s0", 32)
    steps = [okm(s0, "step", b"")]
    for _ in range(3):
        steps.append(okm(steps[-1]["next"], "step", b""))
    body = fixed("body", 1024)
    return {"s0": s0, "steps": steps, "body": body, "tag": tag(steps[0], body)}


def payload():
    message, acks = fixed("message id", 16), [fixed("ack 1", 16), fixed("ack 2", 16)]
    text, name = "Grüße", "Zoë"
    # By hand: {1: id, 2: text, 3: time, 4: order, 5: [acks], 7: mailbox, 8: bits, 10: fresh,
    # 11: name, 12: true, 13: sealed, 14: R, 15: [heads], 16: read secret}
    cbor = bytes([0xae, 1, 0x50]) + message
    cbor += bytes([2, 0x60 + len(text.encode())]) + text.encode()
    cbor += bytes([3, 0x1b]) + struct.pack(">Q", 1728000000123) + bytes([4, 0x18, 42])
    cbor += bytes([5, 0x82]) + b"".join(bytes([0x50]) + ack for ack in acks)
    cbor += bytes([7, 0x1a]) + struct.pack(">I", 0xA0000000) + bytes([8, 3])
    cbor += bytes([10, 0x58, 32]) + fixed("fresh pair", 32)
    cbor += bytes([11, 0x60 + len(name.encode())]) + name.encode() + bytes([12, 0xF5])
    cbor += bytes([13, 0x1b]) + struct.pack(">Q", 1728000999456)
    cbor += bytes([14, 0x58, 32]) + agree_public(fixed("recovery", 32))
    cbor += bytes([15, 0x82, 0x1a]) + struct.pack(">I", 1728000000)
    cbor += bytes([0x1b]) + struct.pack(">Q", 1728000000123)
    cbor += bytes([16, 0x58, 32]) + fixed("new read", 32)
    chain_id = fixed("chain id", 16)
    signed = b"wm-msg" + A + G + u32(20000) + chain_id
    return {"message_id": message, "text": text, "time": 1728000000123, "order": 42, "acks": acks,
            "mailbox": 0xA0000000, "bits": 3, "fresh": fixed("fresh pair", 32), "name": name,
            "sealed": 1728000999456, "keys_head": 1728000000, "profile_head": 1728000000123,
            "read": fixed("new read", 32),
            "sealed": 1728000999456, "recovery": agree_public(fixed("recovery", 32)),
            "cbor": cbor, "device": DEVICE, "sender": A, "recipient": G, "epoch": 20000,
            "chain_id": chain_id, "index": 7,
            "signature": sign(DEVICE, signed + u32(7) + h(cbor)),
            "opener_signature": sign(DEVICE, signed + u32(0xFFFFFFFF) + h(cbor))}


def hedged():
    fresh, bound = fixed("fresh", 32), [b"payload", b"", fixed("who", 10)]
    return {"fresh": fresh, "bound": bound, "opener": hedge(fresh, "opener", bound)}


def main():
    made = [record, delegation, invitation, handshake, comeback]
    parts = [*made, pair, opener, chain, payload, hedged]
    vectors = {"about": "Made by session.py; bytes are hex."}
    vectors |= {part.__name__: plain(part()) for part in parts}
    text = json.dumps(vectors, indent=1, ensure_ascii=False) + "\n"
    if "--check" in sys.argv:
        same = FILE.read_text() == text
        sys.exit(0 if same else "session.json differs from what session.py gives")
    FILE.write_text(text)


if __name__ == "__main__":
    main()
