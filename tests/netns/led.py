"""A relay behind a NAT, which nobody dials, is used by accounts outside, two of them behind another
NAT: led to it by a relay that it dialled, and on when that one is gone. PROTOCOL.md section 12, "Offers"."""

import base64
import json
import os

import network
from programs import DATA, Account, Page, Relay

# Hosts of their own: what they learn is of no use to the others.
OUTSIDE = ['door', 'dora']
INSIDE = ['home', 'emil']
# Behind a NAT of their own.
YARD = ['yves', 'page']


def run(programs, logs, hosts, wait, check):
    led = Led(programs, logs, hosts)
    no_way = not network.has_way(hosts['dora'], hosts['home'])
    check('there is no way to a host behind a NAT', no_way, no_way)
    led.start('door')
    led.start('home', '--peer', hosts['door'].address)
    wait('it dials one outside', lambda: led.relays['door'].health().get('peers') == 1)
    emil = led.account(Account, 'emil', 'home')
    outside = [led.account(Account, name, 'door') for name in ('dora', 'yves')]
    if 'CHROMIUM' in os.environ:
        outside.append(led.account(Page, 'page', 'door'))
    else:
        print('# without a browser: CHROMIUM names none')
    for person in outside:
        wait(f'{person.name} is led to it', lambda: led.is_open(person, 'home'))
        at = led.shown(person, 'home')['address']
        check('at the address of the NAT', at.startswith(f'{hosts["nat"].address}:'), at)
    answered, opened = (led.counts(name)['offers'] for name in ('door', 'home'))
    led_there = answered['offers_answered'], opened['opens']
    enough = min(led_there) >= len(outside)
    check('by offers, which both relays count', enough, led_there)
    told = led.counts('door')['webrtc'].get('addresses_told', 0)
    check('a browser asks for its address', told > 0 or len(outside) == 2, told)
    link = emil.ask('invite', hours=24, single_use=False)['fragment']
    wait('an invitation from behind the NAT is live', lambda: is_live(emil))
    led.relays.pop('door').kill()
    for person in outside:
        wait(f'{person.name} has lost who led', lambda: not led.is_open(person, 'door'))
        kept = led.is_open(person, 'home')
        check('and has kept the link', kept, person.latest('relays'))
        wait('the invitation is found', lambda: can_open(person, link))
        person.ask('greet', link=link, text=f'{person.name} greets')
    wait('greetings arrive', lambda: len(emil.latest('greeting', 'greeting')) == len(outside))
    for greeting in emil.latest('greeting', 'greeting'):
        emil.ask('accept', greeting=greeting)
    for person in outside:
        wait('and the answer', lambda: (person.contact('Emil') or {}).get('state') == 'active')
        for sender, to in ((person, emil), (emil, person)):
            text = f'{sender.name} to {to.name}'
            sender.ask('send', contact=sender.contact(to.title)['contact'], text=text)
            wait(f'what {sender.name} writes arrives', lambda: text in to.received())
    for program in (emil, *outside, *led.relays.values()):
        program.kill()


class Led:
    def __init__(self, programs, logs, hosts):
        self.programs = programs
        self.logs = logs
        self.hosts = hosts
        self.relays = {}
        self.keys = {}

    def start(self, name, *more):
        relay = Relay(self.programs, self.hosts[name], self.logs, '--no-lan', *more)
        bytes = base64.urlsafe_b64decode(relay.hint + '=' * (-len(relay.hint) % 4))
        self.relays[name], self.keys[name] = relay, bytes[39:47].hex()

    def account(self, kind, name, relay):
        person = kind(self.programs, self.hosts[name], name, self.logs, self.relays[relay])
        person.create()
        return person

    def shown(self, person, relay):
        """The relay, as an account shows it."""
        told = person.latest('relays') or {'relays': []}
        return next((each for each in told['relays'] if each['relay'] == self.keys[relay]), {})

    def is_open(self, person, relay):
        return self.shown(person, relay).get('state') == 'open'

    def counts(self, relay):
        status = [f'{self.programs}/wiremin', 'relay', 'status', '--json']
        said = network.inside(self.hosts[relay], *status, '--data', str(DATA / relay))
        return json.loads(said)['counters']


def is_live(inviter):
    invites = inviter.latest('invite', 'invite').values()
    return any(invite['state'] == 'live' for invite in invites)


def can_open(guest, link):
    try:
        return guest.ask('open_invite', link=link)['kind'] == 'opened'
    except SystemExit:
        return False
