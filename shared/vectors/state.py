#!/usr/bin/env python3
"""Makes state.json: known answers for PROTOCOL.md section 13, by another implementation.

As keys.py, whose inputs it uses, it shares nothing with the Rust code: CBOR is written out here.

    python3 state.py --check
"""

import json
import pathlib
import struct
import sys

from keys import fixed, h, plain

FILE = pathlib.Path(__file__).with_name("state.json")
ANN, BEN = fixed("ann", 32), fixed("ben", 32)


def head(kind, n):
    """A CBOR head: major type and number (RFC 8949, section 3)."""
    if n < 24:
        return bytes([kind << 5 | n])
    for extra, form, most in [(24, ">B", 8), (25, ">H", 16), (26, ">I", 32), (27, ">Q", 64)]:
        if n < 1 << most:
            return bytes([kind << 5 | extra]) + struct.pack(form, n)
    raise ValueError(n)


def number(n):
    return head(0, n)


def octets(value):
    return head(2, len(value)) + value


def string(value):
    return head(3, len(value.encode())) + value.encode()


def array(*items):
    return head(4, len(items)) + b"".join(items)


NULL, TRUE = b"\xf6", b"\xf5"


def value_or_null(value):
    return NULL if value is None else octets(value)


def entry(key, time, slot, value):
    return array(octets(key), number(time), number(slot), value_or_null(value))


def contact(who, field):
    return bytes([3]) + who + bytes([field])


def access():
    return array(octets(fixed("read", 32)), array(number(0xABC00000), number(12)),
                 octets(fixed("recovery", 32)))


def values():
    device = array(octets(fixed("device", 32)), octets(fixed("kem hash", 32)), string("Laptop"),
                   number(1), number(1728000000123))
    invitation = array(octets(fixed("secret", 16)), number(480000), number(1),
                       octets(fixed("kem", 32)))
    return {
        "existence": {"standing": 2, "added": 1728000000123,
                      "value": array(number(2), number(1728000000123))},
        "access": {"read_secret": fixed("read", 32), "mailbox": 0xABC00000, "bits": 12,
                   "recovery": fixed("recovery", 32), "value": access()},
        "name": {"text": "Zoë", "value": string("Zoë")},
        "flag": {"value": TRUE},
        "order": {"order": 70000, "value": number(70000)},
        "device": {"key": fixed("device", 32), "kem_hash": fixed("kem hash", 32),
                   "name": "Laptop", "since": 1728000000123, "value": device},
        "invitation": {"secret": fixed("secret", 16), "expiry": 480000, "flags": 1,
                       "kem": fixed("kem", 32), "value": invitation},
    }


# Key, time, slot, value; in no order.
ENTRIES = [
    (contact(ANN, 2), 1728000000000, 0, string("Ann")),
    (contact(ANN, 0), 1728000000000, 0, array(number(1), number(1728000000000))),
    (contact(ANN, 1), 1728000000000, 0, access()),
    (contact(ANN, 5), 1728000500000, 1, number(70000)),
    (contact(BEN, 0), 1728000400000, 1, None),
    (bytes([1, 1]), 1727000000000, 0, string("Me")),
    (bytes([2, 0]), 1727000000001, 0, b'{"theme":"dark"}'),
    (bytes([4, 1]), 1727000000001, 0, b"opaque here"),
    (bytes([9, 8, 7, 6, 5]), 5, 255, b"of a later version"),
    (bytes([9, 8, 7, 6, 5, 4]), 5, 255, b""),
]


def spot(key):
    return h(key[:33])[0]


def part_text(version, parts, part, before):
    lines, last = [], None
    for key, time, slot, value in sorted(ENTRIES):
        if spot(key) % parts != part:
            continue
        written, stamp = key, number(time) + number(slot)
        if last:
            common = 0
            while common < min(len(key), len(last[0])) and key[common] == last[0][common]:
                common += 1
            if common >= 3:
                written = bytes([0, common]) + key[common:]
        if last and stamp == last[1]:
            lines.append(array(octets(written), value_or_null(value)))
        else:
            lines.append(array(octets(written), number(time), number(slot), value_or_null(value)))
        last = key, stamp
    fields = [number(0) + number(version), number(1) + number(parts), number(2) + array(*lines),
              number(3) + octets(before)]
    return head(5, len(fields)) + b"".join(fields)


def entries():
    return [{"key": key, "time": time, "slot": slot, "value": value,
             "entry": entry(key, time, slot, value)} for key, time, slot, value in ENTRIES]


def places():
    keys = [fixed(f"key {n}", 3 + 20 * n) for n in range(4)]
    keys += [contact(ANN, 0), contact(ANN, 5), bytes([1, 1]), bytes([2, 0])]
    return [{"key": key, "parts": [spot(key) % (1 << n) for n in range(7)]} for key in keys]


def order():
    """Of one key, each beats those before it."""
    low, high = sorted([b"one", b"two"], key=h)
    return [{"time": time, "slot": slot, "value": value} for time, slot, value in [
        (5, 0, b"two"), (5, 1, None), (5, 1, low), (5, 1, high), (5, 2, low), (6, 0, None),
        (6, 0, high), (2**47 - 1, 0, low)]]


def texts():
    first = part_text(1, 1, 0, bytes(32))
    return {"first": first, "hash": h(first),
            "halves": [part_text(2, 2, 0, h(first)), part_text(1, 2, 1, bytes(32))]}


def main():
    parts = [values, entries, order, places, texts]
    vectors = {"about": "Made by state.py; bytes are hex."}
    vectors |= {part.__name__: plain(part()) for part in parts}
    text = json.dumps(vectors, indent=1, ensure_ascii=False) + "\n"
    if "--check" in sys.argv:
        sys.exit(0 if FILE.read_text() == text else "state.json differs from what state.py gives")
    FILE.write_text(text)


if __name__ == "__main__":
    main()
