"""Relays and accounts in two LANs with a NAT between them: they find each other, what is written
arrives once, kills and a cut between the LANs are survived, strangers move nobody.
Started by run.sh, in namespaces of its own. Arguments: directories of the programs and of the logs.

Nothing is asserted about time: waits have a bound, and what they took is printed."""

import json
import sys
import time
from pathlib import Path

import led
import network
from programs import DATA, NETWORK, Account, Refused, Relay

OUTER = ['outer1', 'outer2', 'outer3']
INNER = ['inner1', 'inner2', 'inner3']
# Peers of each, when all are linked and when only those of a LAN are.
OF_ALL = len(OUTER + INNER) - 1
OF_LAN = len(OUTER) - 1
# A link notices after a minute of silence, and an address is dialled anew after a minute or two.
PATIENCE_S = 600
# Stores are equal when they were found so several times in a row.
EQUAL_TIMES = 3
# Each has four messages.
ROUNDS = 4
PASSED = 0


def main(programs, logs):
    hosts = network.build(OUTER + led.OUTSIDE, INNER + led.INSIDE, led.YARD)
    DATA.mkdir()
    world = World(programs, logs, hosts)
    try:
        led.run(programs, logs, hosts, wait, check)
        find_each_other(world)
        strangers_move_nobody(world)
        people = acquaint(world)
        kills_lose_nothing(world, people)
        a_cut_heals(world, people)
        each_arrived_once(people)
    except SystemExit:
        print(f'# {dict(zip(world.relays, world.healths()))}\n# logs are in {logs}')
        raise
    finally:
        print(f'# pass {PASSED}', flush=True)


class World:
    """The relays, by the names of their hosts."""

    def __init__(self, programs, logs, hosts):
        self.programs = programs
        self.logs = logs
        self.hosts = hosts
        self.relays = {}

    def start(self, name, *more):
        self.relays[name] = Relay(self.programs, self.hosts[name], self.logs, *more)

    def account(self, name, at):
        person = Account(self.programs, self.hosts[at], name, self.logs, self.relays[at])
        person.create()
        return person

    def kill(self, name):
        self.relays.pop(name).kill()

    def healths(self):
        return [relay.health() for relay in self.relays.values()]

    def have_peers(self, number):
        return all(health.get('peers') == number for health in self.healths())

    def are_equal(self):
        """Whether all relays store as many objects and bytes, and go on doing so."""
        for _ in range(EQUAL_TIMES):
            stored = {(each.get('objects'), each.get('bytes')) for each in self.healths()}
            if len(stored) > 1:
                return False
            time.sleep(1)
        return True


def find_each_other(world):
    for name in OUTER:
        world.start(name)
    wait(
        'relays of a LAN without a way out find each other by beacons alone',
        lambda: world.have_peers(OF_LAN),
    )
    world.start(INNER[0], '--peer', world.hosts[OUTER[0]].address)
    for name in INNER[1:]:
        world.start(name)
    wait(
        'relays behind a NAT, one of which was told of one outside, are linked to all',
        lambda: world.have_peers(OF_ALL),
    )
    outside, inside = (world.hosts[names[0]] for names in (OUTER, INNER))
    ways = network.has_way(outside, inside), network.has_way(inside, outside)
    check('and that although nobody outside can dial them', ways == (False, True), ways)


def strangers_move_nobody(world):
    script = Path(__file__).with_name('stranger.py')
    relay = world.relays[OUTER[0]]
    arguments = [NETWORK, relay.address, relay.hint, str(len(INNER))]
    told = network.inside(world.hosts['stranger'], sys.executable, str(script), *arguments)
    for line in told.splitlines():
        said = json.loads(line)
        check(said['what'], said['holds'], said['seen'])
    check('and all are linked as before', world.have_peers(OF_ALL), world.healths())


def acquaint(world):
    """Three people, each with a relay of their own host to begin with."""
    anna = world.account('anna', OUTER[0])
    wait('the first object is stored somewhere', lambda: any(objects(world)))
    wait('and is on all relays', lambda: all(objects(world)))
    ben, cleo = world.account('ben', INNER[1]), world.account('cleo', OUTER[2])
    link = anna.ask('invite', hours=24, single_use=False)['fragment']
    wait('an invitation is live', lambda: is_live(anna))
    for guest in (ben, cleo):
        wait(f'{guest.name} finds it', lambda: can_open(guest, link))
        guest.ask('greet', link=link, text=f'{guest.name} greets')
    wait('both greetings arrive', lambda: len(anna.latest('greeting', 'greeting')) == 2)
    for greeting in anna.latest('greeting', 'greeting'):
        anna.ask('accept', greeting=greeting)
    wait('and so do the answers', lambda: all(is_accepted(guest) for guest in (ben, cleo)))
    held = [len(each.latest('relays')['relays']) for each in (anna, ben, cleo)]
    check('each holds relays that it was not told of', min(held) > 1, held)
    return People(anna, ben, cleo)


class People:
    """Anna outside, and those she writes with: Ben behind the NAT, Cleo outside."""

    def __init__(self, anna, ben, cleo):
        self.anna = anna
        self.guests = [ben, cleo]
        self.expected = {
            'anna': [f'{guest.name} greets' for guest in self.guests],
            'ben': [],
            'cleo': [],
        }

    def each(self):
        return [self.anna, *self.guests]

    def write(self, about):
        """Anna writes to her guests and they to her."""
        for guest in self.guests:
            self.send(self.anna, guest, f'{about}, anna to {guest.name}')
            self.send(guest, self.anna, f'{about}, {guest.name} to anna')

    def send(self, sender, to, text):
        sender.ask('send', contact=sender.contact(to.title)['contact'], text=text)
        self.expected[to.name].append(text)

    def on_the_way(self):
        """How many of the messages have not arrived."""
        return sum(len(set(self.expected[e.name]) - set(e.received())) for e in self.each())

    def have_all(self):
        return self.on_the_way() == 0

    def have_stored(self):
        """Whether all that was written is on a relay at least."""
        on_the_way = ('queued', 'failed', 'cancelled')
        sent = [message for each in self.each() for message in each.messages(mine=True)]
        return not any(message['delivery']['state'] in on_the_way for message in sent)


def kills_lose_nothing(world, people):
    for number in range(ROUNDS):
        people.write(f'before {number}')
    # A third of them: the one that Anna began with, and one behind the NAT.
    killed = (OUTER[0], INNER[2])
    on_the_way = people.on_the_way()
    for name in killed:
        world.kill(name)
    print(f'# {on_the_way} messages were on their way')
    for number in range(ROUNDS):
        people.write(f'after {number}')
    wait('with a third of the relays killed, all that is written arrives', people.have_all)
    world.start(killed[0])
    world.start(killed[1], '--peer', world.hosts[OUTER[1]].address)
    wait('the killed ones come back and are linked', lambda: world.have_peers(OF_ALL))
    wait('and every relay stores the same', world.are_equal)


def a_cut_heals(world, people):
    network.cut(world.hosts)
    wait('a cut between the LANs is noticed', lambda: world.have_peers(OF_LAN))
    ben, cleo = people.guests
    before = len(ben.received())
    people.write('cut')
    wait('what is written meanwhile is stored', people.have_stored)
    wait('and arrives on the same side', lambda: 'cut, cleo to anna' in people.anna.received())
    crossed = 'cut, ben to anna' in people.anna.received() or len(ben.received()) > before
    check('but not on the other', not crossed, ben.received())
    network.mend(world.hosts)
    wait('after the cut all arrives', people.have_all)
    wait('the relays are linked again', lambda: world.have_peers(OF_ALL))
    wait('and every relay stores the same', world.are_equal)


def each_arrived_once(people):
    anna = people.anna
    for each in people.each():
        others = people.guests if each is anna else [anna]
        kept = [each.history(each.contact(other.title)['contact']) for other in others]
        kept = sorted(text for texts in kept for text in texts)
        expected = sorted(people.expected[each.name])
        once = kept == expected and each.received() == expected
        check(f'each of {len(expected)} messages to {each.name} arrived once', once, kept)


def objects(world):
    return [health.get('objects', 0) for health in world.healths()]


def is_live(inviter):
    invites = inviter.latest('invite', 'invite').values()
    return any(invite['state'] == 'live' for invite in invites)


def is_accepted(guest):
    return (guest.contact('Anna') or {}).get('state') == 'active'


def can_open(guest, link):
    try:
        return guest.ask('open_invite', link=link)['kind'] == 'opened'
    except Refused:
        return False


def wait(what, happened):
    start = time.monotonic()
    while not happened():
        if time.monotonic() - start > PATIENCE_S:
            raise SystemExit(f'not ok - {what}: not within {PATIENCE_S} s')
        time.sleep(0.1)
    passed(f'{what}, {time.monotonic() - start:.1f} s')


def check(what, holds, seen):
    if not holds:
        raise SystemExit(f'not ok - {what}: {seen}')
    passed(what)


def passed(what):
    global PASSED
    PASSED += 1
    print(f'ok - {what}', flush=True)


if __name__ == '__main__':
    main(*sys.argv[1:])
