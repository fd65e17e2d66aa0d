"""Networks made for the test: an outer LAN with public addresses, two behind a NAT each, and nothing
else. Invariant: all of it lies in namespaces of the process that run.sh started, so it is
gone with that process, however that ends."""

import os
import subprocess

# Nobody's addresses here: no packet can leave.
OUTER = '11.7.0.'
INNER = '192.168.7.'
YARD = '192.168.8.'
NAT = 254
GATE = 253
# The test itself, on both bridges: it asks relays how they are, and forwards nothing.
WATCHER = 1
STRANGER = 66
# A second address of the stranger's, for what is forged.
VICTIM = 67

NAT_RULES = """
table ip nat {
    chain out { type nat hook postrouting priority srcnat; oifname "outer" masquerade; }
}
table ip between {
    chain cut { type filter hook forward priority -10; }
    chain in {
        type filter hook forward priority 0; policy drop;
        ct state established,related accept
        iifname "LAN" accept
    }
    chain own {
        type filter hook input priority 0; policy drop;
        ct state established,related accept
        iifname != "outer" accept
    }
}
"""


class Host:
    """A network namespace and its address."""

    def __init__(self, name, address):
        self.name = name
        self.address = address

    def command(self, *command):
        return ['ip', 'netns', 'exec', self.name, *command]


def build(outer, inner, yard):
    """Hosts by their names, which are given; `nat`, `gate` and `stranger` besides."""
    if os.getpid() != 1 or links() != ['lo']:
        raise SystemExit('not in namespaces of its own: start it with tests/netns/run.sh')
    # Where `ip netns` keeps its names; and the data of relays and accounts.
    run('mount', '-t', 'tmpfs', 'tmpfs', '/run')
    run('ip', 'link', 'set', 'lo', 'up')
    lans = (('outer', OUTER, outer), ('inner', INNER, inner), ('yard', YARD, yard))
    for lan, net, _ in lans:
        run('ip', 'link', 'add', f'br-{lan}', 'type', 'bridge')
        run('ip', 'addr', 'add', f'{net}{WATCHER}/24', 'brd', '+', 'dev', f'br-{lan}')
        run('ip', 'link', 'set', f'br-{lan}', 'up')
    hosts = {}
    for lan, net, names in lans:
        for number, name in enumerate(names, 11):
            hosts[name] = Host(name, f'{net}{number}')
            add_namespace(name)
            plug(name, lan, f'{net}{number}')
    nats = (('nat', NAT, *lans[1]), ('gate', GATE, *lans[2]))
    for name, number, lan, net in (*(nat[:4] for nat in nats), ('stranger', STRANGER, 'inner', INNER)):
        hosts[name] = Host(name, f'{OUTER}{number}')
        add_namespace(name)
        plug(name, 'outer', f'{OUTER}{number}')
        plug(name, lan, f'{net}{number}')
    inside(hosts['stranger'], 'ip', 'addr', 'add', f'{OUTER}{VICTIM}/24', 'dev', 'outer')
    # Only those behind a NAT have a way out, and it ends at the outer LAN.
    for name, number, lan, net, names in nats:
        setting(hosts[name], 'ip_forward', 1)
        inside(hosts[name], 'nft', '-f', '-', stdin=NAT_RULES.replace('LAN', lan))
        for host in names:
            inside(hosts[host], 'ip', 'route', 'add', 'default', 'via', f'{net}{number}')
    return hosts


def cut(hosts):
    """Nothing passes between the LANs any more."""
    inside(hosts['nat'], 'nft', 'add', 'rule', 'ip', 'between', 'cut', 'drop')


def mend(hosts):
    inside(hosts['nat'], 'nft', 'flush', 'chain', 'ip', 'between', 'cut')


def has_way(host, to):
    """Whether anything can be sent from one host to another."""
    return 'via' in run('ip', '-n', host.name, 'route', 'show', 'match', to.address)


def links():
    return [line.split()[0] for line in run('ip', '-brief', 'link').splitlines()]


def add_namespace(name):
    run('ip', 'netns', 'add', name)
    run('ip', '-n', name, 'link', 'set', 'lo', 'up')
    # Forged senders are to be found out by the programs, not by the kernel.
    for interfaces in ('all', 'default'):
        setting(Host(name, None), f'conf/{interfaces}/rp_filter', 0)


def plug(name, lan, address):
    """A cable from a namespace to a LAN's bridge; in the namespace it is called like the LAN."""
    end = f'{lan[0]}-{name}'
    run('ip', 'link', 'add', end, 'type', 'veth', 'peer', 'name', lan, 'netns', name)
    run('ip', 'link', 'set', end, 'master', f'br-{lan}', 'up')
    run('ip', '-n', name, 'addr', 'add', f'{address}/24', 'brd', '+', 'dev', lan)
    run('ip', '-n', name, 'link', 'set', lan, 'up')


def setting(host, name, value):
    inside(host, 'tee', f'/proc/sys/net/ipv4/{name}', stdin=str(value))


def inside(host, *command, stdin=None):
    return run(*host.command(*command), stdin=stdin)


def run(*command, stdin=None):
    done = subprocess.run(command, input=stdin, text=True, capture_output=True)
    if done.returncode:
        raise SystemExit(f'{" ".join(command)}: {done.stderr.strip()}')
    return done.stdout
