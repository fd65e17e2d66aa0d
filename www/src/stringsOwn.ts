/** The part of strings.ts that is about one's own account and this device. */
import { n } from './plural'

export const settings = {
  title: 'Settings',
  restored: 'Restored on this device from 18 words.',
  security: 'Security',
  showWords: 'Show my 18 words',
  showWordsHint: 'Asks for the passcode. Make sure nobody is watching.',
  changePasscode: 'Change passcode',
  changeHint: 'For this device only. It is not remembered then until you unlock again.',
  passcodeChanged: 'Passcode changed. It is asked for when this page opens next.',
  lock: 'Lock now',
  lockHint: 'Asks for the passcode again, and forgets that it was remembered.',
  backup: 'Export',
  backupText:
    'An encrypted file with your account, contacts and messages; your 18 words alone bring ' +
    'back no messages. Importing it on an empty device is a move: who goes on here as ' +
    'well splits the conversations between the two. To use both, link a device instead.',
  export: 'Export the account',
  exportTitle: 'Export the account',
  exportLead:
    'The file holds your 18 words, contacts and messages, so your passcode is asked for. Choose ' +
    'a passphrase for the file: you need it when you import.',
  passphrase: 'Passphrase of the file',
  passphraseRepeat: 'Repeat the passphrase',
  exportDone:
    'Your browser saves the file now. Check that it is there before you erase anything, and ' +
    'keep it apart from its passphrase.',
  exporting: 'Encrypting…',
  import: 'To import a file, start from an empty device: erase this one first.',
  relays: 'Relays',
  relaysText:
    'They carry your messages and pass them on to each other. They see your IP address, and ' +
    'nothing of what you write. This app keeps in touch with three, where it knows so many.',
  relaysNone: 'No relay yet. One is added with the page it serves, or with an invitation.',
  addRelay: 'Add a relay',
  addRelayLabel: 'Relay hint',
  addRelayHint: 'The line of letters a relay prints when it starts.',
  relayAdded: 'Relay added.',
  relayCopy: 'Copy the hint of this relay',
  relayCopied: 'Hint copied. Another device can use it to find this relay.',
  relayRemove: 'Stop using this relay',
  relayRemoveAsk: (address: string) => `Stop using ${address}?`,
  relayRemoveText:
    'What only this relay keeps for you will not arrive. Contacts who use no other relay of ' +
    'yours cannot reach you. A relay that serves this page comes back when the page is loaded again.',
  relayRemoved: 'Relay removed.',
  relayFound: 'found by itself',
  relayStates: {
    open: 'Connected',
    catching_up: 'Catching up',
    connecting: 'Connecting',
    down: 'Out of reach',
  },
  relayAgain: 'It is tried again by itself; the others go on meanwhile.',
  clock: (minutes: number) =>
    `Your clock differs from the relays’ by ${n(minutes, 'minute', 'minutes')}. Set it right.`,
  acknowledgements: 'Delivery confirmations',
  acknowledgementsText:
    'Who is told that their messages arrived here. Turned off for somebody, their device does ' +
    'not confirm yours either.',
  acknowledgementsNone: 'You have no contacts yet.',
  blocked: 'Blocked',
  unblock: 'Unblock',
  theme: 'Appearance',
  themes: { system: 'As the device', light: 'Light', dark: 'Dark' },
  privacy: 'Who learns what',
  privacyShow: 'Read it again',
  erase: 'Erase this device',
  eraseText: 'Destroys the account, keys, contacts and messages kept in this browser.',
  eraseTitle: 'Erase everything on this device?',
  eraseLead:
    'Without your 18 words, or another device that has them, the account is lost for good. The ' +
    'words bring back contacts as far as ' +
    'relays have kept them, and no messages: those need an exported file. The browser deletes what it kept; a copy made earlier is not reached.',
  eraseType: (word: string) => `Type “${word}” to go on`,
  eraseWord: 'erase',
  eraseButton: 'Erase this device',
  erased: 'This device is empty.',
}

export const profile = {
  title: 'Profile',
  saved: 'Profile saved. Your contacts see it before long.',
  about: 'About you',
  aboutHint: 'A few words beside your name.',
  aboutLeft: (bytes: number) => `A few words beside your name. ${bytes} bytes left.`,
  who:
    'Only your contacts see these words and the picture. Relays keep them encrypted. Whom you ' +
    'greet or invite sees your name alone until you are contacts.',
  choose: 'Choose a picture',
  change: 'Change the picture',
  preparing: 'Making it small…',
  remove: 'Remove the picture',
  pictureSaved: 'Picture saved. Your contacts see it before long.',
  pictureRemoved: 'Picture removed. Who has seen it may have kept it.',
  pictureHint:
    'The middle is cut out as a square. Only the pixels are kept: where and when a photo was ' +
    'taken is left out.',
}

export const recovery = {
  label: 'Your account comes back',
  what:
    'Contacts, names, your profile and settings come back, as far as relays have kept them. ' +
    'What was written in conversations does not: that takes an exported file. Messages that ' +
    'were on their way to you are sent again by those who sent them.',
  looking: 'Looking for your contacts…',
  lookingText: 'Relays are asked what this account has left with them. It may take some minutes.',
  lookingUnlinked: 'No relay is connected yet. They are asked as soon as one is.',
  lookingLone:
    'This page has no relay of its own. Open an invitation, or add a relay in Settings: the one ' +
    'you used before is best.',
  nothing: 'Nothing was found',
  nothingText:
    'The relays that answered keep nothing of this account; they are asked again now and then. If ' +
    'you used other relays before, add one in Settings and look again. Start anew if there was ' +
    'nothing to come back: you then invite people again.',
  again: 'Look again',
  anew: 'Start anew',
  found: (contacts: number) => `${n(contacts, 'contact is', 'contacts are')} here again`,
  foundText: (back: number, contacts: number) =>
    `${back} of ${contacts} ${back === 1 ? 'has' : 'have'} answered. Each is told that you came ` +
    'back, and their device answers when it is next online. What you write until then waits here.',
  enough: 'Hide this',
  enoughDone: 'The others answer all the same when they are online.',
  done: 'All your contacts have answered',
  doneText: (contacts: number) =>
    `${n(contacts, 'contact is', 'contacts are')} back, and you can write as before.`,
  donePart: (back: number, contacts: number) => `${back} of ${contacts} contacts are back`,
  donePartText:
    'The others cannot be told that you came back: too little is known of them. Invite them again.',
}

export const elsewhere = {
  mine: 'It was me',
  mineTitle: 'You go on with the other device',
  mineText:
    'This one keeps what it has, for reading; it sends and receives nothing new. To write from here, ' +
    'too, erase this device and link it to the other one, as a new device.',
  mineKeep:
    'Do not erase it while you need its messages: the other one has only what came since, and ' +
    'copies no more than that. An export holds them as well.',
  notMine: 'It was not me: take my account back',
  take: 'Take my account back',
  takeTitle: 'Take your account back?',
  takeText:
    'This device begins anew with all your contacts. They are told loudly, and what they write may ' +
    'wait up to three days, or until they say that it is you: call them. The other device is ' +
    'overtaken then, as this one is now.',
  takeWords:
    'Then somebody has your 18 words, and can come back again. The words cannot be changed: once ' +
    'your contacts know, make a new account and invite them to it.',
  taken: 'Taken back. Your contacts are told; call those who matter most.',
  chat: 'Your account was restored on another device, so nothing is sent from here.',
  choose: 'What can I do?',
}

export const removed = {
  erase: 'Erase this device',
  read: 'Go on reading',
  chat: 'This device was taken out of your account, so nothing is sent from here.',
}

export const repair = {
  title: 'Repair',
  open: 'Something is broken with my conversations',
  text:
    'If messages to several people stay undelivered for days, or theirs do not come though they ' +
    'were sent, this device can begin anew with all contacts, as after 18 words on a new device.',
  costs:
    'Nothing that is here is lost. But every contact is told loudly that you came back, and what ' +
    'they write may wait up to three days, or until they say that it is you. What you write waits ' +
    'until their device answers. A relay that is out of reach, or full, is not mended by it.',
  action: 'Begin anew with all contacts',
  ask: 'Begin anew with all contacts?',
  askText:
    'Each of them is shown that you came back with a new device, and may ask you whether that was ' +
    'you. This cannot be taken back.',
  done: 'Begun anew. Your contacts are told.',
}
