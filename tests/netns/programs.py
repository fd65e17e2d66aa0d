"""The programs under test, each in a network namespace: relays, and accounts (`wiremin bot`)."""

import json
import os
import subprocess
import threading
import time
import urllib.error
import urllib.request
from pathlib import Path

# The one that pages know; nothing leaves the namespaces.
NETWORK = 'main'
PORT = 8420
# A command is answered as soon as it is saved.
ANSWER_S = 60
DATA = Path('/run/wiremin')


class Refused(SystemExit):
    """A command came to nothing."""


class Program:
    """A process that is told something line by line, and logs into a file."""

    def __init__(self, host, name, logs, *command):
        self.name = name
        self.log = open(Path(logs) / f'{name}.log', 'ab')
        self.child = subprocess.Popen(
            host.command(*command),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.log,
            env={**os.environ, 'WIREMIN_LOG': 'debug'},
        )

    def kill(self):
        """As by `kill -9`."""
        self.child.kill()
        self.child.wait()
        self.log.close()


class Relay(Program):
    def __init__(self, programs, host, logs, *more):
        self.address = host.address
        how = ['--network', NETWORK, '--no-dht', '--json', '--until-stdin-ends']
        where = ['--port', str(PORT), '--data', str(DATA / host.name)]
        super().__init__(host, host.name, logs, f'{programs}/wiremin-relay', *where, *how, *more)
        self.hint = json.loads(self.child.stdout.readline())['hint']

    @property
    def page(self):
        return f'http://{self.address}:{PORT}'

    def health(self):
        """What it says of itself; nothing, if it says nothing."""
        try:
            with urllib.request.urlopen(f'{self.page}/health', timeout=5) as answer:
                return json.load(answer)
        except (OSError, urllib.error.URLError):
            return {}


class Account(Program):
    def __init__(self, programs, host, name, logs, relay):
        self.title = name.capitalize()
        self.events = []
        self.told = threading.Condition()
        self.last_id = 0
        super().__init__(host, name, logs, *self.command(programs, name, relay))
        threading.Thread(target=self.listen, daemon=True).start()

    def command(self, programs, name, relay):
        how = ['--network', NETWORK, '--relay', relay.page]
        return [f'{programs}/wiremin', 'bot', '--data', str(DATA / name), *how]

    def listen(self):
        for line in self.child.stdout:
            event = json.loads(line)
            with self.told:
                self.events.append(event)
                self.told.notify_all()

    def ask(self, cmd, **fields):
        """Gives a command; its answer."""
        self.last_id += 1
        command = {'id': self.last_id, 'cmd': cmd, **fields}
        self.child.stdin.write(f'{json.dumps(command)}\n'.encode())
        self.child.stdin.flush()
        until = time.monotonic() + ANSWER_S
        seen = 0
        with self.told:
            while True:
                for event in self.events[seen:]:
                    if event['event'] == 'done' and event['id'] == self.last_id:
                        return event.get('answer')
                    if event['event'] == 'failed' and event['id'] == self.last_id:
                        raise Refused(f'not ok - {self.name}: {cmd}: {event["error"]}')
                seen = len(self.events)
                if not self.told.wait(until - time.monotonic()):
                    raise SystemExit(f'not ok - {self.name}: {cmd} is not answered')

    def create(self):
        words = ' '.join(self.ask('new_words')['words'])
        passcode = 'correct horse battery'
        account = dict(name=self.title, words=words, passcode=passcode)
        self.ask('create', **account, restore=False, remember=False)

    def latest(self, event, key=None):
        """The last event of a kind, or of each thing that it tells of."""
        with self.told:
            told = [each for each in self.events if each['event'] == event]
        if key is None:
            return told[-1] if told else None
        return {each[event][key]: each[event] for each in told}

    def messages(self, mine):
        """Texts that were sent or received, each as often as there are messages with it."""
        messages = self.latest('message', 'message').values()
        return [each for each in messages if each['mine'] == mine and each['text']]

    def received(self):
        return sorted(each['text'] for each in self.messages(mine=False))

    def history(self, contact):
        """What the conversation holds of the other side, as it is kept."""
        answer = self.ask('history', contact=contact, before=None, limit=100)
        return sorted(each['text'] for each in answer['messages'] if not each['mine'])

    def contact(self, name):
        contacts = self.latest('contact', 'contact').values()
        return next((each for each in contacts if each['name'] == name), None)


class Page(Account):
    """An account in a browser, which `CHROMIUM` names."""

    def command(self, programs, name, relay):
        return ['node', str(Path(__file__).with_name('page.mjs')), relay.hint]
