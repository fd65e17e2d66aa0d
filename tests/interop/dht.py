"""Relays in a DHT of libtorrent's nodes, on loopback: they announce what libtorrent finds, and find
what libtorrent announces. Argument: the relay's program. PROTOCOL.md section 12."""

import hashlib
import json
import os
import re
import select
import struct
import subprocess
import sys
import tempfile
import time

import libtorrent as lt

NODES = 8
PATIENCE_S = 90
HOST = '127.0.0.1'
# What is announced by libtorrent in place of a relay.
STAND_IN_PORT = 4242


def main(program):
    network = f'interop-{os.urandom(8).hex()}'
    nodes = start_nodes()
    for key in keys(network):
        nodes[1].dht_announce(lt.sha1_hash(key), STAND_IN_PORT)
    wait('libtorrent finds its own announcement', lambda: STAND_IN_PORT in peers(nodes[2], network))
    with tempfile.TemporaryDirectory() as data:
        with Relay(program, f'{data}/a', network, entry(nodes)) as first:
            first.finds(1)
            wait('libtorrent finds the relay', lambda: first.port in peers(nodes[3], network))
            with Relay(program, f'{data}/b', network, entry(nodes)) as second:
                second.finds(2)
                both = {STAND_IN_PORT, first.port, second.port}
                wait('libtorrent finds both', lambda: both <= peers(nodes[4], network))


def start_nodes():
    nodes = []
    for _ in range(NODES):
        settings = {
            'listen_interfaces': f'{HOST}:0',
            'enable_dht': True,
            'enable_lsd': False,
            'enable_upnp': False,
            'enable_natpmp': False,
            'dht_bootstrap_nodes': entry(nodes) if nodes else '',
            # All nodes share one address here.
            'dht_restrict_routing_ips': False,
            'dht_restrict_search_ips': False,
            'dht_enforce_node_id': False,
            'dht_ignore_dark_internet': False,
            'dht_upload_rate_limit': 1_000_000,
            'alert_mask': lt.alert.category_t.dht_notification
            | lt.alert.category_t.dht_operation_notification,
        }
        nodes.append(lt.session(settings))
    for node in nodes[1:]:
        node.add_dht_node((HOST, nodes[0].listen_port()))
    wait('the nodes know each other', lambda: all(neighbours(node) for node in nodes))
    return nodes


def entry(nodes):
    return f'{HOST}:{nodes[0].listen_port()}'


def keys(network):
    """Of the days before and after, too: the test may run at midnight."""
    number = hashlib.sha256(b'wm-net' + network.encode()).digest()[:4]
    today = int(time.time()) // 86_400
    for day in (today, today - 1, today + 1):
        yield hashlib.sha256(b'wm-dht' + number + struct.pack('<I', day)).digest()[:20]


def peers(node, network):
    """Ports found under today's key at loopback."""
    key = next(keys(network))
    node.dht_get_peers(lt.sha1_hash(key))
    found = set()
    for alert in alerts(node, 3):
        if isinstance(alert, lt.dht_get_peers_reply_alert):
            found |= {port for host, port in alert.peers() if host == HOST}
    return found


def neighbours(node):
    """Ports of the nodes that it counts among the DHT."""
    (own,) = node.save_state()[b'dht state'][b'node-id']
    node.dht_live_nodes(lt.sha1_hash(own[:20]))
    for alert in alerts(node, 3):
        if isinstance(alert, lt.dht_live_nodes_alert):
            return {port['endpoint'][1] for port in alert.nodes}
    return set()


def alerts(node, seconds):
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        node.wait_for_alert(200)
        yield from node.pop_alerts()


class Relay:
    """The program under test. Its log tells how many others it found, not where."""

    def __init__(self, program, data, network, bootstrap):
        where = ['--data', data, '--bind', HOST, '--port', '0', '--network', network]
        how = ['--no-lan', '--dht-bootstrap', bootstrap, '--json', '--until-stdin-ends']
        self.log = tempfile.TemporaryFile()
        self.child = subprocess.Popen(
            [program, *where, *how],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.log,
            env={**os.environ, 'WIREMIN_LOG': 'native_node::find=debug'},
        )
        self.port = json.loads(self.child.stdout.readline())['port']

    def finds(self, number):
        def found():
            self.log.seek(0)
            text = re.sub(r'\x1b\[[0-9;]*m', '', self.log.read().decode())
            return f'found={number} ' in text and 'announced=true' in text

        wait(f'the relay at {self.port} finds {number} and announces itself', found)

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        self.child.stdin.close()
        self.child.wait()
        if kind:
            self.log.seek(0)
            print(self.log.read().decode(), file=sys.stderr)


def wait(what, happened):
    start = time.monotonic()
    while not happened():
        if time.monotonic() - start > PATIENCE_S:
            raise SystemExit(f'not ok - {what}')
        time.sleep(0.2)
    print(f'ok - {what}, {time.monotonic() - start:.1f} s', flush=True)


if __name__ == '__main__':
    main(sys.argv[1])
