#!/usr/bin/env python3
"""Makes wire.json: golden bytes of headers, work, frames, hints and receipts (PROTOCOL.md 2 to 4).

Written from the text of PROTOCOL.md with struct and big integers. Run it to see that wire.json is
what it gives:

    python3 wire.py --check
"""

import base64
import ipaddress
import json
import pathlib
import struct
import sys

from keys import h, kdf, public, sign

FILE = pathlib.Path(__file__).with_name("wire.json")
HOURS = [6, 12, 24, 48, 168, 720, 2160, 4320]
NODE_SECRET = bytes([42]) * 32
NODE_KEY = public(NODE_SECRET)


def header(kind, size, lifetime, effort, expiry, address, network, tag, body):
    front = struct.pack("<BBBBIII", 1 << 4 | kind, size << 5 | lifetime << 1, effort, 0, expiry,
                        address, network)
    return front + tag + h(body)


def work(size, lifetime, effort):
    return 2 * ((1024 << size) + 1024) * (HOURS[lifetime] + 16) * 2**effort


def solve(prefix, target):
    nonce = 0
    while int.from_bytes(h(prefix, struct.pack("<Q", nonce)), "big") >= target:
        nonce += 1
    return nonce


def headers():
    network = struct.unpack("<I", h(b"wm-net", b"main")[:4])[0]
    cases = [
        (0, 0, 3, 0, 480000, 0, network, bytes(range(16)), bytes(1024)),
        (1, 4, 0, 1, 480001, 0xDEADBEEF, 7, bytes([9]) * 16, bytes([1]) * 16384),
        (2, 2, 7, 32, 0xFFFFFFFF, 1, 2, bytes([0xFF]) * 16, bytes([2]) * 4096),
        (3, 1, 4, 4, 1, 0xFFFFFFFF, network, bytes(16), bytes([3]) * 2048),
    ]
    out = []
    for case in cases:
        kind, size, lifetime, effort, expiry, address, net, tag, body = case
        start = header(*case)
        prefix = h(start)
        w = work(size, lifetime, effort)
        # Solved with a divisor that leaves about 1000 hashes, as in a test network.
        divisor = w // 1000
        nonce = solve(prefix, 2**256 // (w // divisor))
        raw = start + struct.pack("<Q", nonce)
        out.append({
            "kind": kind, "size": size, "lifetime": lifetime, "effort": effort, "expiry": expiry,
            "address": address, "network": net, "tag": tag.hex(), "body_byte": body[-1],
            "bytes": raw.hex(), "prefix": prefix.hex(), "id": h(raw).hex(), "work": w,
            "target": (2**256 // w).to_bytes(32, "big").hex(), "divisor": divisor, "nonce": nonce,
        })
    return out


def targets():
    works = [2, 3, 7, 255, 256, 257, 262144, 655360, 10**12 + 39, 2**63 - 25, 2**64 - 1]
    return [{"work": w, "target": (2**256 // w).to_bytes(32, "big").hex()} for w in works]


def frames():
    raw = header(0, 0, 3, 0, 480000, 5, 7, bytes([8]) * 16, bytes(1024)) + bytes(8)
    record = bytes(range(24))
    binding, nonce = bytes([1]) * 32, bytes([2]) * 32
    fields = struct.pack("<BI32sQBIBI", 1, 7, NODE_KEY, 1700000000000, 3, 99, 3, 0xA0000000)
    welcome = fields + sign(NODE_SECRET, b"wm-link" + binding + nonce + fields)
    time = struct.pack("<Q", 1700000000001)
    leaf = h(b"\0" + h(raw))
    stored = h(raw) + time + NODE_KEY + sign(NODE_SECRET, b"wm-receipt" + leaf + time) + bytes(2)
    # The second of three.
    pair = h(b"\1" + bytes([4]) * 32 + leaf)
    root = h(b"\1" + pair + bytes([5]) * 32)
    together = h(raw) + time + NODE_KEY + sign(NODE_SECRET, b"wm-receipt" + root + time)
    together += struct.pack("<H", 1) + bytes([4]) * 32 + bytes([5]) * 32
    rows = [
        ("hello", 0x01, 0, struct.pack("<BI", 1, 7) + nonce),
        ("welcome", 0x02, 0, welcome),
        ("bye", 0x03, 0, bytes([5])),
        ("ping", 0x04, 0, struct.pack("<Q", 2**63 + 1)),
        ("pong", 0x05, 0, struct.pack("<Q", 2**63 + 1)),
        ("floor", 0x0C, 0, bytes([8])),
        ("put", 0x10, 1, raw + bytes(1024)),
        ("stored", 0x11, 1, stored),
        ("stored_together", 0x11, 1, together),
        ("refused", 0x12, 2, struct.pack("<BI", 5, 3)),
        ("scan", 0x20, 3, struct.pack("<II", 2833333, 600)),
        ("scan_page", 0x21, 3, struct.pack("<IBIQI", 2833333, 1, 601, 615424, 600) + record),
        ("get", 0x22, 4, struct.pack("<IBQ", 2833333, 9, 0x8180000000000000)),
        ("object", 0x23, 4, struct.pack("<I", 2833333) + raw + bytes(1024)),
        ("end", 0x24, 4, struct.pack("<I", 1)),
        ("find", 0x25, 5, struct.pack("<BQ", 64, 2**64 - 1)),
        ("offer", 0x28, 7, NODE_KEY + struct.pack("<HH", 0, 65535)),
        ("answer", 0x29, 7, bytes([6]) + ipaddress.ip_address("2001:db8::7").packed
         + struct.pack("<H", 8420)),
        ("open", 0x2A, 8, bytes([4, 192, 0, 2, 7]) + struct.pack("<H", 4433)),
        ("watch", 0x30, 6, bytes([1])),
        ("news", 0x31, 6, struct.pack("<I", 2833334) + record),
        ("lagged", 0x32, 0xFFFFFFFF, struct.pack("<I", 2833334)),
    ]
    out = {name: struct.pack("<BI", code, request).hex() + rest.hex()
           for name, code, request, rest in rows}
    return {"node_secret": NODE_SECRET.hex(), "binding": binding.hex(), "nonce": nonce.hex(),
            "frames": out}


def hints():
    out = []
    for address, port in [("192.0.2.7", 4433), ("2001:db8::a:1", 65535)]:
        ip = ipaddress.ip_address(address)
        certificate, key = bytes([0xC3]) * 32, NODE_KEY
        raw = bytes([ip.version]) + ip.packed + struct.pack("<H", port) + certificate + key
        d = kdf(key, "ice", certificate, 24)
        shown = f"[{address}]:{port}" if ip.version == 6 else f"{address}:{port}"
        out.append({
            "address": address, "port": port, "certificate": certificate.hex(),
            "node_key": key.hex(), "bytes": raw.hex(), "shown": shown,
            "text": base64.urlsafe_b64encode(raw).rstrip(b"=").decode(),
            "ufrag": base64.b64encode(d[:6]).decode(), "pwd": base64.b64encode(d[6:]).decode(),
        })
    return out


def record():
    owner, slot = public(bytes([1]) * 32), 16
    place = h(b"wm-rec-addr", owner, struct.pack("<H", slot))
    tag, address = place[4:20], struct.unpack("<I", place[:4])[0]
    delegate, until = bytes([2]) * 32, 480100
    fields = public(delegate) + struct.pack("<I", until)
    fields += sign(bytes([1]) * 32,
                   b"wm-delegate" + owner + struct.pack("<H", slot) + fields)
    front = owner + struct.pack("<HQ", slot, 77) + fields
    sealed = bytes([6]) * (1024 - 206)
    start = header(2, 0, 4, 0, 480168, address, 7, tag, b"")[:16]
    body = front + sign(delegate, b"wm-record" + start + front + sealed) + sealed
    raw = header(2, 0, 4, 0, 480168, address, 7, tag, body) + bytes(8)
    return {"owner": owner.hex(), "slot": slot, "version": 77, "until": until,
            "header": raw.hex(), "body": body.hex()}


def positions():
    out = []
    for address, key, day in [("5.6.7.8", 0x00, 20500), ("5.6.7.99", 0xFE, 20589),
                              ("2a00:1:2:3::9", 0x03, 20500), (None, 0x01, 20500)]:
        around, network = bytes(7), struct.pack("<I", 7)
        if address:
            ip = ipaddress.ip_address(address)
            around = (bytes([ip.version]) + ip.packed[:3 if ip.version == 4 else 6]).ljust(7, b"\0")
        slot = bytes([key % 4])
        shift = struct.unpack("<H", h(b"wm-period", network, around, slot)[:2])[0] % 90
        period = struct.pack("<I", (day + shift) // 90)
        position = struct.unpack(">I", h(b"wm-range", network, around, slot, period)[:4])[0]
        out.append({"address": address, "key": key, "day": day, "position": position})
    return out


def main():
    made = {"headers": headers(), "targets": targets(), "links": frames(), "hints": hints(),
            "record": record(), "positions": positions()}
    text = json.dumps(made, indent=1) + "\n"
    if "--check" in sys.argv:
        sys.exit(0 if FILE.read_text() == text else "wire.json is not what wire.py gives")
    FILE.write_text(text)


if __name__ == "__main__":
    main()
