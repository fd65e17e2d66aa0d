"""A relay behind a NAT, which nobody dials, is used by an account outside: led to it by a relay that
it dialled, and on when that one is gone. PROTOCOL.md section 12, "Offers"."""

import base64
import json

import network
from programs import DATA, Account, Relay

# Hosts of their own: what they learn is of no use to the others.
OUTSIDE = ['door', 'dora']
INSIDE = ['home', 'emil']


def run(programs, logs, hosts, wait, check):
    led = Led(programs, logs, hosts)
    no_way = not network.has_way(hosts['dora'], hosts['home'])
    check('there is no way to a host behind a NAT', no_way, no_way)
    led.start('door')
    led.start('home', '--peer', hosts['door'].address)
    wait('it dials one outside', lambda: led.relays['door'].health().get('peers') == 1)
    dora, emil = led.account('dora', 'door'), led.account('emil', 'home')
    wait('an account outside is led to it', lambda: led.is_open(dora, 'home'))
    at = led.shown(dora, 'home')['address']
    check('at the address of the NAT', at.startswith(f'{hosts["nat"].address}:'), at)
    counted = led.counts('door'), led.counts('home')
    led_there = counted[0].get('offers_answered', 0) > 0 and counted[1].get('opens', 0) > 0
    check('by an offer, which both relays count', led_there, counted)
    link = dora.ask('invite', hours=24, single_use=False)['fragment']
    wait('an invitation of hers is live', lambda: is_live(dora))
    led.relays.pop('door').kill()
    wait('the relay that led her is gone', lambda: not led.is_open(dora, 'door'))
    check('and she holds the other', led.is_open(dora, 'home'), dora.latest('relays'))
    wait('somebody behind the NAT finds her there', lambda: can_open(emil, link))
    emil.ask('greet', link=link, text='from inside')
    wait('his greeting arrives', lambda: dora.latest('greeting', 'greeting'))
    for greeting in dora.latest('greeting', 'greeting'):
        dora.ask('accept', greeting=greeting)
    wait('and so does the answer', lambda: (emil.contact('Dora') or {}).get('state') == 'active')
    for sender, to in ((dora, emil), (emil, dora)):
        text = f'{sender.name} to {to.name}'
        sender.ask('send', contact=sender.contact(to.title)['contact'], text=text)
        wait(f'what {sender.name} writes arrives', lambda: text in to.received())
    for program in (dora, emil, *led.relays.values()):
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

    def account(self, name, relay):
        person = Account(self.programs, self.hosts[name], name, self.logs, self.relays[relay])
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
        return json.loads(said)['counters'].get('offers', {})


def is_live(inviter):
    invites = inviter.latest('invite', 'invite').values()
    return any(invite['state'] == 'live' for invite in invites)


def can_open(guest, link):
    try:
        return guest.ask('open_invite', link=link)['kind'] == 'opened'
    except SystemExit:
        return False
