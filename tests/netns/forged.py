"""Packets with a sender that is not their own, and what comes back to that one."""

import base64
import hashlib
import hmac
import os
import socket
import struct
import zlib

UDP = 17
ETH_P_IP = 0x0800
# Lengths are those of whole IP packets.
HEADERS = 28


class Forger:
    """Sends in anybody's name; hears what arrives over an interface, if one is named."""

    def __init__(self, interface=None):
        self.out = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
        self.out.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
        self.into = None
        if interface:
            kind = socket.SOCK_DGRAM
            self.into = socket.socket(socket.AF_PACKET, kind, socket.htons(ETH_P_IP))
            self.into.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
            self.into.bind((interface, ETH_P_IP))
            self.into.setblocking(False)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.out.close()
        if self.into:
            self.into.close()

    def send(self, sender, port, to, to_port, bytes):
        """One datagram; the length of its packet. The kernel fills in the checksum."""
        length = HEADERS + len(bytes)
        ends = socket.inet_aton(sender) + socket.inet_aton(to)
        head = struct.pack('!BBHHHBBH', 0x45, 0, length, 0, 0, 64, UDP, 0) + ends
        udp = struct.pack('!HHHH', port, to_port, length - 20, 0)
        self.out.sendto(head + udp + bytes, (to, 0))
        return length

    def came(self, address):
        """Bytes that have arrived at an address, by UDP port."""
        found = {}
        while True:
            try:
                packet = self.into.recv(4096)
            except BlockingIOError:
                return found
            head = 4 * (packet[0] & 15)
            if packet[9] == UDP and packet[16:20] == socket.inet_aton(address):
                (port,) = struct.unpack_from('!H', packet, head + 2)
                (length,) = struct.unpack_from('!H', packet, 2)
                found[port] = found.get(port, 0) + length


def ice_of(node_key, certificate):
    """What a relay's ICE answers to (PROTOCOL.md section 3): its name and password."""
    secret = hmac.digest(bytes(32), node_key, 'sha256')
    derived = hmac.digest(secret, b'wiremin/1 ice\0' + certificate + b'\1', 'sha256')
    text = lambda part: base64.b64encode(part).decode()
    return text(derived[:6]), text(derived[6:24])


def stun_check(name, password):
    """As a browser begins (RFC 8445 section 7.2), of a new client each time."""
    attribute = lambda kind, value: (
        struct.pack('!HH', kind, len(value)) + value + bytes(-len(value) % 4)
    )
    username, priority, use_candidate, controlling = 0x0006, 0x0024, 0x0025, 0x802A
    body = attribute(username, f'{name}:abcd'.encode())
    body += attribute(priority, os.urandom(4)) + attribute(use_candidate, b'')
    body += attribute(controlling, os.urandom(8))
    transaction = os.urandom(12)
    # Both are about a header that counts them already.
    head = lambda more: struct.pack('!HHI', 1, len(body) + more, 0x2112A442) + transaction
    body += attribute(0x0008, hmac.digest(password.encode(), head(24) + body, hashlib.sha1))
    body += attribute(0x8028, struct.pack('!I', zlib.crc32(head(8) + body) ^ 0x5354554E))
    return head(0) + body


def client_hello():
    """Of DTLS 1.2 (RFC 6347), without a cookie."""
    extension = lambda kind, value: struct.pack('!HH', kind, len(value)) + value
    extensions = b''.join(
        (
            extension(0x000A, bytes.fromhex('0004001d0017')),
            extension(0x000B, bytes.fromhex('0100')),
            extension(0x000D, bytes.fromhex('0006040308040401')),
            extension(0x0017, b''),
        )
    )
    ciphers = bytes.fromhex('c02bc02fc00ac014')
    body = b'\xfe\xfd' + os.urandom(32) + b'\0\0'
    body += struct.pack('!H', len(ciphers)) + ciphers + b'\1\0'
    body += struct.pack('!H', len(extensions)) + extensions
    length = struct.pack('!I', len(body))[1:]
    message = b'\1' + length + bytes(5) + length + body
    return b'\x16\xfe\xfd' + bytes(8) + struct.pack('!H', len(message)) + message
