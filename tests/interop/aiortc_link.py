"""A link over aiortc, from the text of PROTOCOL.md section 3: dialled from a hint alone, and what a
client asks on it."""

import asyncio
import hashlib
import os
import struct
from collections import defaultdict

import aioice.ice
from aiortc import RTCConfiguration, RTCPeerConnection, RTCSessionDescription

import aiortc_protocol as wire

HOST = '127.0.0.1'
PATIENCE_S = 30
OFFERED = 'a=fingerprint:sha-256 '

# It leaves loopback out.
aioice.ice.get_host_addresses = lambda use_ipv4, use_ipv6: [HOST]


class Link:
    """One data channel to a relay, dialled from its hint alone."""

    def __init__(self, hint):
        self.hint = hint
        self.connection = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        self.channel = self.connection.createDataChannel('wm1')
        self.channel.on('message', self.on_message)
        self.opened, self.closed = asyncio.Event(), asyncio.Event()
        self.channel.on('open', self.opened.set)
        self.channel.on('close', self.closed.set)
        # Of each request what came for it; of 0 what is about the link.
        self.frames = defaultdict(asyncio.Queue)
        self.requests = 0

    async def __aenter__(self):
        await self.connection.setLocalDescription(await self.connection.createOffer())
        offer = self.connection.localDescription.sdp.splitlines()
        (mid,) = (line.removeprefix('a=mid:') for line in offer if line.startswith('a=mid:'))
        (own,) = (line.removeprefix(OFFERED) for line in offer if line.startswith(OFFERED))
        own = bytes.fromhex(own.replace(':', ''))
        self.binding = wire.h(b'wm-bind', own, self.hint.certificate)
        answer = RTCSessionDescription(self.hint.answer(mid), 'answer')
        await self.connection.setRemoteDescription(answer)
        await asyncio.wait_for(self.opened.wait(), PATIENCE_S)
        return self

    async def __aexit__(self, *_):
        if self.channel.readyState == 'open':
            self.send(wire.BYE, 0, 'B', 0)
        await self.connection.close()

    def on_message(self, raw):
        kind, request, fields = wire.read_frame(raw)
        if kind == wire.PING:
            self.send(wire.PONG, 0, 'Q', *struct.unpack('<Q', fields))
        # A young relay asks what the client carries for others, which is nothing.
        elif kind != wire.ASK:
            self.frames[request].put_nowait((kind, fields))

    def send(self, kind, request, layout='', *fields):
        self.channel.send(wire.frame(kind, request, layout, *fields))

    def ask(self, kind, layout, *fields):
        self.requests += 1
        self.send(kind, self.requests, layout, *fields)
        return self.requests

    async def next(self, request, *kinds):
        kind, fields = await asyncio.wait_for(self.frames[request].get(), PATIENCE_S)
        if kind not in kinds:
            raise ValueError(f'a frame of type {kind:02x} came for request {request}')
        return kind, fields

    async def refused(self, kind, layout, *fields):
        """The code."""
        _, answer = await self.next(self.ask(kind, layout, *fields), wire.REFUSED)
        return struct.unpack('<BI', answer)[0]

    async def ended(self):
        await asyncio.wait_for(self.closed.wait(), PATIENCE_S)

    async def hello(self, network, version=wire.VERSION):
        """Welcome, or the reason of Bye."""
        nonce = os.urandom(32)
        self.send(wire.HELLO, 0, 'BI32s', version, network, nonce)
        kind, fields = await self.next(0, wire.WELCOME, wire.BYE)
        if kind == wire.BYE:
            return fields[0]
        return wire.Welcome.read(fields, self.binding, nonce)

    async def put(self, header, body):
        """The time of a good receipt, or code and detail of Refused."""
        raw = header.encode()
        request = self.ask(wire.PUT, f'72s{len(body)}s', raw, body)
        kind, fields = await self.next(request, wire.STORED, wire.REFUSED)
        if kind == wire.REFUSED:
            return struct.unpack('<BI', fields)
        name, time_ms, key, signature, sides = struct.unpack('<32sQ32s64sH', fields[:138])
        if name != header.id():
            raise ValueError('the receipt is for another object')
        # One relay keeps everything: nothing is passed on.
        if key != self.hint.node_key:
            raise ValueError('the receipt is of another relay')
        root = hashlib.sha256(b'\0' + name).digest()
        for step, at in enumerate(range(138, len(fields), 32)):
            sibling = fields[at:at + 32]
            pair = sibling + root if sides >> step & 1 else root + sibling
            root = hashlib.sha256(b'\1' + pair).digest()
        if not wire.signed_by(key, signature, b'wm-receipt', root + struct.pack('<Q', time_ms)):
            raise ValueError('the receipt has a bad signature')
        return time_ms

    async def code(self, header, body):
        answer = await self.put(header, body)
        return answer[0] if isinstance(answer, tuple) else answer

    async def scan(self, bucket, first=0):
        """The records of a bucket as it stands, a page at a time."""
        records = []
        while True:
            place = first + len(records)
            request = self.ask(wire.SCAN, 'II', bucket, place)
            page = wire.Page.read((await self.next(request, wire.SCAN_PAGE))[1])
            if (page.bucket, page.first) != (bucket, place):
                raise ValueError('a page of something else')
            records += page.records
            if not page.records or place + len(page.records) >= page.total:
                return records

    async def get(self, bucket, bits, prefix):
        """Bucket, header and body of each, and what End counted."""
        return await self.objects(self.ask(wire.GET, 'IBQ', bucket, bits, prefix))

    async def find(self, bits, prefix):
        return await self.objects(self.ask(wire.FIND, 'BQ', bits, prefix))

    async def objects(self, request):
        found = []
        while True:
            kind, fields = await self.next(request, wire.OBJECT, wire.END)
            if kind == wire.END:
                return found, *struct.unpack('<I', fields)
            found.append(split_object(fields))

    async def watch(self, mode):
        """The request's number, and from which bucket on."""
        request = self.ask(wire.WATCH, 'B', mode)
        return request, *struct.unpack('<I', (await self.next(request, wire.LAGGED))[1])


def split_object(fields):
    return struct.unpack('<I', fields[:4])[0], fields[4:76], fields[76:]
