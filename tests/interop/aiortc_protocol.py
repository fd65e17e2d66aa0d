"""The protocol of a client, written from the text of PROTOCOL.md, sections 2 and 3: hint, objects
and their work, frames, signatures. No network in here."""

import base64
import hashlib
import hmac
import ipaddress
import os
import struct
import time
from dataclasses import dataclass, replace

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

VERSION = 1
HELLO, WELCOME, BYE, PING, PONG, ASK = 0x01, 0x02, 0x03, 0x04, 0x05, 0x0B
PUT, STORED, REFUSED = 0x10, 0x11, 0x12
SCAN, SCAN_PAGE, GET, OBJECT, END, FIND = 0x20, 0x21, 0x22, 0x23, 0x24, 0x25
WATCH, NEWS, LAGGED = 0x30, 0x31, 0x32
BYE_VERSION, BYE_NETWORK, BYE_MALFORMED = 1, 2, 3

ENVELOPE, DESCRIPTOR = 0, 3
HOURS = (6, 12, 24, 48, 168, 720, 2160, 4320)
# That of all envelopes, and of all descriptors.
ENVELOPE_LIFETIME, DESCRIPTOR_LIFETIME = 3, 4


def h(*parts):
    return hashlib.sha256(b''.join(parts)).digest()


def kdf(ikm, label, context, size):
    """HKDF-SHA256 (RFC 5869) without a salt; up to one block."""
    key = hmac.digest(bytes(32), ikm, 'sha256')
    info = b'wiremin/1 ' + label + b'\0' + context
    return hmac.digest(key, info + b'\x01', 'sha256')[:size]


def signed_by(key, signature, *parts):
    try:
        Ed25519PublicKey.from_public_bytes(key).verify(signature, b''.join(parts))
    except InvalidSignature:
        return False
    return True


def network_number(name):
    return struct.unpack('<I', h(b'wm-net', name.encode())[:4])[0]


@dataclass
class Hint:
    address: str
    port: int
    certificate: bytes
    node_key: bytes

    @classmethod
    def parse(cls, text):
        raw = base64.urlsafe_b64decode(text + '=' * (-len(text) % 4))
        length = {4: 4, 6: 16}[raw[0]]
        address = ipaddress.ip_address(raw[1 : 1 + length])
        port, certificate, key = struct.unpack('<H32s32s', raw[1 + length :])
        return cls(str(address), port, certificate, key)

    def answer(self, mid):
        """The relay's answer to an offer with one section, in SDP (RFC 8866, 8839, 8841)."""
        secret = kdf(self.node_key, b'ice', self.certificate, 24)
        family = 'IP6' if ':' in self.address else 'IP4'
        lines = [
            'v=0',
            f'o=- 1 1 IN {family} {self.address}',
            's=-',
            't=0 0',
            'a=ice-lite',
            f'a=group:BUNDLE {mid}',
            f'm=application {self.port} UDP/DTLS/SCTP webrtc-datachannel',
            f'c=IN {family} {self.address}',
            f'a=mid:{mid}',
            f'a=ice-ufrag:{base64.b64encode(secret[:6]).decode()}',
            f'a=ice-pwd:{base64.b64encode(secret[6:]).decode()}',
            f'a=fingerprint:sha-256 {self.certificate.hex(":").upper()}',
            'a=setup:passive',
            'a=sctp-port:5000',
            'a=max-message-size:65536',
            f'a=candidate:1 1 udp 2130706431 {self.address} {self.port} typ host',
            'a=end-of-candidates',
        ]
        return ''.join(f'{line}\r\n' for line in lines)


@dataclass(frozen=True)
class Header:
    network: int
    body_hash: bytes
    tag: bytes
    expiry: int
    address: int = 0
    kind: int = ENVELOPE
    size: int = 0
    lifetime: int = ENVELOPE_LIFETIME
    effort: int = 0
    reserved: int = 0
    nonce: int = 0

    def encode(self):
        bits = (VERSION << 4 | self.kind, self.size << 5 | self.lifetime << 1)
        front = struct.pack('<BBBBIII', *bits, self.effort, self.reserved, self.expiry,
                            self.address, self.network)
        return front + self.tag + self.body_hash + struct.pack('<Q', self.nonce)

    def target(self):
        cost = ((1024 << self.size) + 1024) * (HOURS[self.lifetime] + 16)
        return 2**256 // (2 * cost * 2**self.effort)

    def solved(self):
        return self.searched(lambda x, target: x < target)

    def unsolved(self):
        return self.searched(lambda x, target: x >= target)

    def searched(self, wanted):
        """With the first nonce whose hash is wanted. Big-endian bytes compare as their numbers."""
        prefix = h(self.encode()[:64])
        target = self.target().to_bytes(32, 'big')
        nonce = 0
        while not wanted(hashlib.sha256(prefix + struct.pack('<Q', nonce)).digest(), target):
            nonce += 1
        return replace(self, nonce=nonce)

    def id(self):
        return h(self.encode())

    def scan_record(self):
        return self.tag + self.body_hash[:8]


def envelope(network):
    """A header without work, and a random body of 1 KiB."""
    body = os.urandom(1024)
    expiry = int(time.time()) // 3600 + HOURS[ENVELOPE_LIFETIME] + 1
    return Header(network, h(body), os.urandom(16), expiry), body


def frame(kind, request, layout, *fields):
    return struct.pack('<BI', kind, request) + struct.pack('<' + layout, *fields)


def read_frame(raw):
    kind, request = struct.unpack_from('<BI', raw)
    return kind, request, raw[5:]


@dataclass
class Welcome:
    version: int
    network: int
    node_key: bytes
    time_ms: int
    floor: int
    records: int
    range_bits: int
    range_prefix: int
    signed: bool

    @classmethod
    def read(cls, fields, binding, nonce):
        layout = struct.Struct('<BI32sQBIBI')
        values = layout.unpack(fields[:-64])
        text = (b'wm-link', binding, nonce, fields[:-64])
        return cls(*values, signed_by(values[2], fields[-64:], *text))


@dataclass
class Page:
    bucket: int
    closed: bool
    total: int
    size: int
    first: int
    records: list

    @classmethod
    def read(cls, fields):
        layout = struct.Struct('<IBIQI')
        records = fields[layout.size :]
        if len(records) % 24:
            raise ValueError('a part of a scan record')
        parts = [records[at : at + 24] for at in range(0, len(records), 24)]
        return cls(*layout.unpack_from(fields), parts)
