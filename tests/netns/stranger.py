"""A stranger on both LANs, who says what is not so and sends in the name of others. Each line of
its output is a check: what should be, whether it is, and what was seen.
Arguments: the network's name, a relay's address and hint, how many relays hear its beacons.
PROTOCOL.md section 12."""

import base64
import hashlib
import json
import os
import socket
import struct
import sys
import time

from forged import Forger, client_hello, ice_of, stun_check
from network import INNER, OUTER, STRANGER, VICTIM
from programs import PORT

BEACON_PORT = 8419
BROADCAST = f'{INNER}255'
# Whoever heeds a beacon dials within a second.
LINGER_S = 5
PATIENCE_S = 60


def main(name, relay, hint, hearers):
    initial = beacons(name, int(hearers))
    addresses_are_proved_first(relay, hint, initial)


def beacons(name, hearers):
    """Says where relays are, in several ways of which one is right; who listens there is told
    what arrives. Returns the first packet of a dial."""
    number = hashlib.sha256(b'wm-net' + name.encode()).digest()[:4]
    other = bytes(byte ^ 1 for byte in number)
    right = Listener(f'{INNER}{STRANGER}')
    wrong = {what: Listener(f'{INNER}{STRANGER}') for what in ('other', 'magic', 'short', 'long')}
    forged = Listener(f'{OUTER}{VICTIM}')
    say(beacon(other, wrong['other'].port))
    say(beacon(number, wrong['magic'].port).replace(b'wm-beacon', b'wm-BEACON'))
    say(beacon(number, wrong['short'].port)[:-1])
    say(beacon(number, wrong['long'].port) + b'\0')
    say(beacon(number, 0))
    say(b'')
    with Forger() as forger:
        forger.send(f'{OUTER}{VICTIM}', 4242, BROADCAST, BEACON_PORT, beacon(number, forged.port))
    say(beacon(number, right.port))
    until = time.monotonic() + PATIENCE_S
    while len(right.heard()) < hearers and time.monotonic() < until:
        time.sleep(0.1)
    time.sleep(LINGER_S)
    dialled = {what: sorted(listener.heard()) for what, listener in wrong.items()}
    tell('a beacon is heeded by all who hear it', len(right.heard()) == hearers, right.heard())
    nobody = not any(dialled.values())
    tell('those of another network and malformed ones are not', nobody, dialled)
    tell('nor one from another network than it was sent in', not forged.heard(), forged.heard())
    return right.first


def beacon(number, port):
    return b'wm-beacon' + number + struct.pack('<H', port) + os.urandom(32)


def say(bytes):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
        sender.bind((f'{INNER}{STRANGER}', 0))
        sender.sendto(bytes, (BROADCAST, BEACON_PORT))


class Listener:
    """A UDP port, and who sent something to it."""

    def __init__(self, address):
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind((address, 0))
        self.socket.setblocking(False)
        self.port = self.socket.getsockname()[1]
        self.first = None
        self.senders = set()

    def heard(self):
        while True:
            try:
                bytes, (address, _) = self.socket.recvfrom(2048)
            except BlockingIOError:
                return self.senders
            self.first = self.first or bytes
            self.senders.add(address)


def addresses_are_proved_first(relay, hint, initial):
    """Whatever is sent in the name of somebody else, they get no more bytes than it had."""
    certificate, node_key = hint_keys(hint)
    ufrag, password = ice_of(node_key, certificate)
    check = stun_check(ufrag, password)
    unknown = initial[:1] + b'\x1a\x2a\x3a\x4a' + initial[5:]
    short = lambda length: b'\x40' + os.urandom(length - 1)
    probes = {
        'a STUN check': [check],
        'many STUN checks': [stun_check(ufrag, password) for _ in range(20)],
        'a STUN check with a wrong password': [stun_check(ufrag, 'x' * 24)],
        'a STUN request without a name': [b'\0\1\0\0\x21\x12\xa4\x42' + os.urandom(12)],
        'a STUN check and a ClientHello': [check, client_hello()],
        'a QUIC Initial': [initial],
        'a QUIC Initial again and again': [initial] * 10,
        'a QUIC Initial that is short': [initial[:300]],
        'QUIC of an unknown version': [unknown],
        'QUIC of no connection, 21 bytes': [short(21)],
        'QUIC of no connection, 43 bytes': [short(43)],
        'QUIC of no connection, 1,200 bytes': [short(1200)],
        'noise': [os.urandom(1200) for _ in range(10)],
    }
    # Those that are answered at all, or the rest would show nothing.
    answered = ('a STUN check', 'a STUN check and a ClientHello', 'a QUIC Initial')
    with Forger('outer') as forger:
        victims = {what: Listener(f'{OUTER}{VICTIM}') for what in probes}
        sent = {}
        for what, datagrams in probes.items():
            port = victims[what].port
            to = (relay, PORT)
            sent[what] = sum(forger.send(f'{OUTER}{VICTIM}', port, *to, each) for each in datagrams)
            time.sleep(0.1)
        time.sleep(LINGER_S)
        came = forger.came(f'{OUTER}{VICTIM}')
    for what, bytes in sent.items():
        back = came.get(victims[what].port, 0)
        holds = back <= bytes and (back > 0 or what not in answered)
        tell(f'{what}: {bytes} bytes in the name of somebody, {back} to them', holds, back)


def hint_keys(hint):
    bytes = base64.urlsafe_b64decode(hint + '=' * (-len(hint) % 4))
    if bytes[0] != 4:
        raise SystemExit('not the hint of an IPv4 address')
    return bytes[7:39], bytes[39:71]


def tell(what, holds, seen):
    print(json.dumps({'what': what, 'holds': holds, 'seen': repr(seen)}), flush=True)


if __name__ == '__main__':
    main(*sys.argv[1:])
