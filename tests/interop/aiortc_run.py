"""A client of another make, over aiortc, with a relay on loopback: what PROTOCOL.md promises to it,
and what it says is refused. Argument: the relay's program. PROTOCOL.md sections 2 and 3."""

import asyncio
import json
import os
import struct
import subprocess
import sys
import tempfile
import traceback
from dataclasses import replace

import aiortc_protocol as wire
from aiortc_link import HOST, PATIENCE_S, Link, split_object


class Checks:
    def __init__(self):
        self.passed = self.failed = 0

    def __call__(self, what, holds):
        if holds:
            self.passed += 1
        else:
            self.failed += 1
        print(f'{"ok" if holds else "not ok"} - {what}', flush=True)

    def equal(self, what, got, wanted):
        self(what if got == wanted else f'{what}: {got!r} in place of {wanted!r}', got == wanted)


async def solved(header):
    return await asyncio.to_thread(header.solved)


async def run(check, hint, network):
    await strangers(check, hint, network)
    await nuisance(check, hint, network)
    async with Link(hint) as one, Link(hint) as two:
        for link in (one, two):
            welcome = await link.hello(network)
            check('the Welcome is signed over the binding', welcome.signed)
            what = (welcome.version, welcome.network, welcome.node_key)
            check.equal('by the key of the hint', what, (wire.VERSION, network, hint.node_key))
        one.send(wire.PING, 0, 'Q', 2**63 + 1)
        _, echo = await one.next(0, wire.PONG)
        check.equal('a Ping is answered', struct.unpack('<Q', echo), (2**63 + 1,))
        await refusals(check, one, network)
        await objects(check, one, two, network)


async def strangers(check, hint, network):
    for what, reason, hello in (
        ('another version', wire.BYE_VERSION, (network, wire.VERSION + 1)),
        ('another network', wire.BYE_NETWORK, (network ^ 1, wire.VERSION)),
    ):
        async with Link(hint) as link:
            check.equal(f'a Hello of {what} is answered by Bye', await link.hello(*hello), reason)
            await link.ended()
            check(f'a link of {what} is closed', True)


async def nuisance(check, hint, network):
    """Bad objects cost a link nothing, bad frames end it."""
    async with Link(hint) as link:
        await link.hello(network)
        header, body = wire.envelope(network)
        codes = {await link.code(replace(header, reserved=1), body) for _ in range(10)}
        check.equal('ten bad objects are refused, each alike', codes, {2})
        link.send(wire.HELLO, 0, 'BI32x', wire.VERSION, network)
        await link.watch(0)
        check.equal('a second Watch is malformed', await link.refused(wire.WATCH, 'B', 1), 2)
        for _ in range(5):
            check.equal('so is half a Put', await link.refused(wire.PUT, '71x'), 2)
        link.ask(wire.PUT, '71x')
        _, reason = await link.next(0, wire.BYE)
        what = 'the 8th malformed frame, a second Hello among them, is answered by Bye'
        check.equal(what, reason[0], wire.BYE_MALFORMED)
        await link.ended()
        check('and the link is closed', True)


async def refusals(check, link, network):
    header, body = wire.envelope(network)
    descriptor = replace(header, kind=wire.DESCRIPTOR, lifetime=wire.DESCRIPTOR_LIFETIME)
    for what, code, bad in (
        ('without work', 5, header.unsolved()),
        ('of another network', 3, replace(header, network=network ^ 1)),
        ('that has expired', 4, replace(header, expiry=header.expiry - 50)),
        ('from too far ahead', 4, replace(header, expiry=header.expiry + 3)),
        ('with a reserved bit', 2, replace(header, reserved=1)),
        ('with another lifetime', 2, replace(header, lifetime=2)),
        ('of another size than its body', 2, replace(header, size=1)),
        ('that is a descriptor', 2, await solved(descriptor)),
    ):
        check.equal(f'an object {what} is refused', await link.code(bad, body), code)
    code = await link.code(descriptor.unsolved(), body)
    check.equal('a descriptor without work is refused for that', code, 5)
    check.equal('a frame of unknown type is refused', await link.refused(0x7F, ''), 1)


async def objects(check, one, two, network):
    whole, bucket = await one.watch(1)
    news, _ = await two.watch(0)
    header, body = wire.envelope(network)
    header = await solved(header)
    check.equal('an object with another body is refused', await one.code(header, bytes(1024)), 6)
    check('a put gives a signed receipt', isinstance(await one.put(header, body), int))
    check('a put again gives a receipt again', isinstance(await one.put(header, body), int))
    _, fields = await two.next(news, wire.NEWS)
    record = header.scan_record()
    check.equal('a watch of records tells its own', fields[4:], record)
    (at,) = struct.unpack('<I', fields[:4])
    check('in the bucket that the watch began with, or later', at >= bucket)
    wanted = (at, header.encode(), body)
    _, fields = await one.next(whole, wire.OBJECT)
    check('a watch of objects brings the own one too', split_object(fields) == wanted)

    check.equal('a scan finds it, once', (await two.scan(at)).count(record), 1)
    check.equal('a scan from behind the end finds nothing', await two.scan(at, 7), [])
    (prefix,) = struct.unpack('>Q', header.body_hash[:8])
    for bits, of in ((64, prefix), (8, prefix), (0, 0)):
        found, count = await two.get(at, bits, of)
        check(f'a Get of {bits} bits brings it byte for byte', wanted in found)
        check.equal(f'End counts what a Get of {bits} bits brought', count, len(found))
    found = await two.get(at, 64, prefix ^ 1)
    check.equal('a Get of another prefix brings nothing', found, ([], 0))
    check.equal('a Find where there are no records brings nothing', await two.find(0, 0), ([], 0))

    header, body = wire.envelope(network)
    header = await solved(header)
    check('another put gives a receipt', isinstance(await two.put(header, body), int))
    _, fields = await one.next(whole, wire.OBJECT)
    wanted = (header.encode(), body)
    check('a watch of objects brings what another put', split_object(fields)[1:] == wanted)


def main(program):
    check = Checks()
    name = f'interop-{os.urandom(8).hex()}'
    with tempfile.TemporaryDirectory() as data, tempfile.TemporaryFile() as log:
        where = ['--data', data, '--bind', HOST, '--port', '0', '--network', name]
        how = ['--json', '--until-stdin-ends', '--no-lan', '--no-dht']
        pipe = subprocess.PIPE
        child = subprocess.Popen([program, *where, *how], stdin=pipe, stdout=pipe, stderr=log)
        try:
            hint = wire.Hint.parse(json.loads(child.stdout.readline())['hint'])
            asyncio.run(run(check, hint, wire.network_number(name)))
        except Exception as error:
            traceback.print_exc()
            check(f'the run comes to its end: {error!r}', False)
        child.stdin.close()
        check.equal('the relay ends well', child.wait(PATIENCE_S), 0)
        if check.failed:
            log.seek(0)
            print(log.read().decode(), file=sys.stderr)
    print(f'{check.passed} passed, {check.failed} failed')
    return int(check.failed > 0)


if __name__ == '__main__':
    sys.exit(main(sys.argv[1]))
