#!/usr/bin/env python3
"""Makes letters.json: known answers for PROTOCOL.md section 16, by another implementation.

As keys.py, whose inputs it uses, it shares nothing with the Rust code.

    python3 letters.py --check
"""

import json
import pathlib
import sys

from keys import fixed, h, plain, public, sign
from session import okm, u32
from state import array, entry, head, number, octets, string

FILE = pathlib.Path(__file__).with_name("letters.json")
FALSE, TRUE = b"\xf4", b"\xf5"


def mapping(*pairs):
    """Keys ascend; each value is CBOR already."""
    return head(5, len(pairs)) + b"".join(number(key) + value for key, value in pairs)


def who(direction, device, counter, epoch):
    return bytes([direction, device]) + u32(counter) + u32(epoch)


def main():
    ben, device = public(fixed("ben", 32)), public(fixed("ben's device", 32))
    message, greeting, piece = fixed("message", 16), fixed("greeting", 16), fixed("piece", 16)
    read, rz = fixed("return secret", 32), fixed("rz", 32)
    time = 1_728_043_200_000
    settings = entry(bytes([2, 0]), time, 1, b"{}")
    copy = array(number(1), octets(ben), octets(message), TRUE, string("Grüße"), number(time),
                 number(7), number(time + 5), number(1))
    pair = array(octets(fixed("pair id", 8)), number(20_000), number(20_001), octets(rz), TRUE, FALSE,
                 FALSE, number(time), array(array(number(0), number(20_001), number(3))))
    session = mapping((0, array(number(0xC0000000), number(2))),
                      (1, array(array(number(0), octets(device), number(time)))), (2, array(pair)))
    contact = mapping((0, octets(ben)), (1, session), (2, number(time - 9)), (3, octets(read)))
    keys = mapping((0, number(2)), (1, array(*[array(number(20_001 + n), number(2), octets(fixed(f"epoch {n}", 32)))
                                               for n in range(3)])))
    certificate, leave = fixed("certificate", 101), fixed("leave", 100)
    delegation = array(number(32), number(667), octets(leave))
    items = [
        array(number(0), settings),
        copy,
        array(number(2), contact),
        array(number(3), keys),
        array(number(4), number(5), octets(certificate), array(delegation)),
        array(number(6), octets(greeting), number(1)),
        array(number(8), number(time)),
        array(number(9), number(time), number(5)),
        array(number(10), octets(piece), number(1), number(2), octets(fixed("bytes", 40))),
    ]
    account = fixed("account", 32)
    gift = fixed("gift", 60)
    signed = b"wm-remove" + public(account) + bytes([3]) + device + time.to_bytes(8, "little")
    removal = array(number(3), octets(device), number(time), octets(sign(account, signed)))
    removals = array(removal)
    signed = b"".join([b"wm-removed", public(account), u32(4), bytes([1]), h(removals), h(gift)])
    items += [
        array(number(11), removals, number(4), number(1), octets(gift), octets(sign(account, signed))),
    ]
    step = okm(rz, "opener", who(2, 5, 1, 20_001))
    vectors = {
        "about": "Made by letters.py; bytes are hex.",
        "time": time, "ben": ben, "message": message, "greeting": greeting, "piece": piece,
        "certificate": certificate, "leave": leave, "device": device, "rz": rz,
        "account": public(account), "gift": gift,
        "items": items, "own": head(4, len(items)) + b"".join(items),
        "opener": {"epoch": 20_001, "device": 5, "counter": 1, "locator": step["locator"], "mac": step["mac"]},
    }
    made = json.dumps(plain(vectors), indent=1) + "\n"
    if "--check" in sys.argv:
        sys.exit(0 if FILE.read_text() == made else "letters.json differs from what letters.py gives")
    FILE.write_text(made)


if __name__ == "__main__":
    main()
