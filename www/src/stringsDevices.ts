/**
 * The texts about several devices of one account, and reading codes. Not a part of strings.ts: they
 * are loaded with the views that say them.
 */
import { n } from './plural'

export const scanText = {
  camera: 'Use the camera',
  again: 'Try the camera again',
  stop: 'Turn it off',
  video: 'What the camera sees',
  looking: 'Hold the code inside the frame.',
  picture: 'Choose a picture',
  reading: 'Looking for a code in the picture…',
  hint: 'A photo or a picture of the screen does, too: choose it, paste it, or drop it here. Pictures stay on this device.',
  nothing: {
    title: 'No code was found in this picture',
    text: 'Nothing was kept of it. Take one on which the whole code is seen, sharp and from the front.',
  },
  failures: {
    refused: {
      title: 'The camera was not allowed',
      text:
        'The browser, or this device, keeps it from this page. Allow it behind the sign beside the ' +
        'address, then try again; or use a picture of the code, or its text.',
    },
    none: {
      title: 'There is no camera here',
      text: 'None was found on this device. Use a picture of the code, or its text.',
    },
    busy: {
      title: 'The camera is taken',
      text:
        'Another program or tab uses it, or it was unplugged. Close the other one, then try again; ' +
        'or use a picture of the code, or its text.',
    },
    unsafe: {
      title: 'No camera on this page',
      text:
        'Browsers give it to pages that came by https only, and this one did not, or the browser is ' +
        'too old. Use a picture of the code, or its text.',
    },
    failed: {
      title: 'The camera could not be used',
      text: 'Nothing was seen or kept. Try again, or use a picture of the code, or its text.',
    },
  },
  notAPicture: {
    happened: 'This file could not be read as a picture.',
    safe: 'Nothing was kept of it.',
    todo: 'Choose another one, as JPEG, PNG or WebP.',
  },
}

export const devicesText = {
  title: 'Devices',
  text: 'Every device writes and reads by itself, and tells the others what changed.',
  lone: 'This is the only one so far.',
  nameless: 'A device without a name',
  this: 'this one',
  full: 'has the 18 words',
  linked: 'linked, without the words',
  since: (date: string) => `since ${date}`,
  heard: (when: string) => `last heard ${when}`,
  heardNever: 'not heard yet',
  link: 'Link a device',
  linkHint: 'A phone, a computer, or another browser. It shows a code that you scan here.',
  remove: 'Take out',
  removeTitle: (name: string) => `Take “${name}” out of your account?`,
  removeText:
    'It is given nothing new, can’t write in your name any more, and your contacts are told: those ' +
    'who are online at once, others when they are next. What they write until then it may still ' +
    'read, and what is on it stays on it. To use it again, erase it there and link it anew.',
  removeFull:
    'It has your 18 words. Whoever has it, and its passcode, can still use them: if it was stolen, ' +
    'begin a new account and tell your contacts.',
  removed: (name: string) => `“${name}” is out of your account.`,
  removedHere: 'This device was taken out of the account. The list is as it was known here last.',
  wordless:
    'This device was linked without the 18 words. The words, exports, invitations, linking another ' +
    'device and taking one out are for one that has them. Open one of those at least once a week: it gives ' +
    'this one leave to go on writing.',
}

/** The way of both devices: what is new here, and what the old one does. */
export const linkingText = {
  deviceTitle: 'Link this device',
  deviceLead:
    'The device you already use hands your account over, with its contacts. Have it at hand: it ' +
    'scans a code that is shown here.',
  name: 'Name of this device',
  nameHint: 'Your other devices show it in their list.',
  nameEmpty: 'Enter a name that tells this device from your others.',
  nameLong: 'That name is too long. Shorten it a little.',
  kind: 'What this device gets',
  linked: 'Linked',
  linkedHint:
    'It never gets your 18 words: beginning anew from them on another device shuts it out.',
  full: 'Full',
  fullHint: 'It gets your 18 words. Whoever has them has the account, for good.',
  relay: 'Relay to meet at',
  relayHint:
    'This page has no relay of its own. Copy the hint of one on your other device, under Settings, Relays.',
  relayHintMaybe: 'Only if this page does not find one by itself. The hint is in Settings, Relays.',
  relayMissing:
    'Enter the hint of a relay, so that the devices can meet. The other one has it in Settings, Relays.',
  agree: 'I understand, show the code',
  starting: 'Locking this device with the passcode…',

  connectingTitle: 'Looking for a relay…',
  connectingText: 'The two devices meet at one. The code appears as soon as it answers.',
  connectingLong:
    'None has answered yet. Check the connection of this device, or go back and enter the hint of ' +
    'a relay that your other device uses.',

  shownTitle: 'Scan this with your other device',
  shownLead: 'On the device you already use, open Settings, Devices, and choose “Link a device”.',
  qr: 'QR code that links this device',
  qrFailed: 'The code could not be drawn. Copy its text.',
  left: (time: string) => `Good for ${time} more`,
  over: 'The code has run out',
  text: 'No camera there? Paste this text into it instead.',
  textLabel: 'The code as text',
  textCopy: 'Copy the text',
  anew: 'Show a new code',
  warn: 'Show it to nobody else, and send no picture of it to anybody.',

  compareTitle: 'Do both devices show the same number?',
  compareAccount: 'The account that answered',
  compareDevice: 'The device that showed the code',
  asks: (full: boolean) =>
    full ? 'It asks for your 18 words, too.' : 'It asks to be linked, without your 18 words.',
  same: 'Yes, the same',
  different: 'No, another one',
  compareWarn:
    'Look at both screens. Another number means that somebody stands between your devices, and ' +
    'would get your account in place of the new one. Then say no: nothing was handed over yet.',
  differed: {
    happened: 'You said that the numbers differ, so linking was stopped.',
    safe: 'Nothing was handed over. Your account and your devices are as they were.',
    todo: 'Begin again with a new code. If they differ again, use another network or another relay.',
  },

  giveTitle: (name: string) => `What does ${name} get?`,
  giveKind: 'Kind of device',
  giveLinked: 'Linked, without the words',
  giveLinkedHint: 'It never gets your 18 words: beginning anew from them shuts it out.',
  giveFull: 'Full, with the 18 words',
  giveFullHint: 'It can do all that this one can. Whoever has the words has the account, for good.',
  gives: 'Your profile, contacts and settings are handed over, and what you choose here.',
  givesWords:
    'Your 18 words are handed over as well: whoever has that device and its passcode is you. ' +
    'Enter the passcode of this device to do that.',
  days: 'Conversations of the last',
  dayOptions: { 0: 'None', 7: '7 days', 30: '30 days', 365: '1 year' } as Record<number, string>,
  daysHint: 'The texts are copied to that device, as far as there is room. Here nothing changes.',
  give: 'Link this device',
  giving: 'Checking…',

  waitingTitle: 'Waiting for the other device',
  waitingNew:
    'Say on your other device that the numbers are the same, and what this one gets. It takes over then.',
  waitingOld: 'Say on the new device that the numbers are the same. It takes over then.',
  movingTitleNew: 'Taking over your account…',
  movingTitleOld: 'Handing over…',
  movingText: 'Keep this page open on both devices until it is done.',
  movingHave: (have: number, of: number) => `${have} of ${n(of, 'part', 'parts')}`,
  doneTitle: (name: string) => (name ? `${name} is linked` : 'The device is linked'),
  doneText:
    'From now on messages arrive on both, and what you write on one is shown on the other. The ' +
    'list of devices shows when it was last heard.',
  doneNew: 'This device is linked. Messages arrive here now, too.',
  finish: 'Done',

  failedTitle: 'It was not linked',
  unsureTitle: 'It is not known whether it was linked',
  cancelled: 'Linking was stopped. Nothing was handed over.',

  scanTitle: 'Link a device',
  scanLead:
    'Open WireMin on the new device and choose “Link to a device you already use”. It shows a ' +
    'code: scan it here.',
  scanWarn:
    'Link a device only if you hold it in your hands. Nobody has to scan a code for support.',
  paste: 'Or paste the text of the code',
  pastePlaceholder: 'wiremin:link/…',
  read: 'Go on',
  askingTitle: 'Looking for the device…',
  askingText: 'It waits at a relay. Leave its code on the screen.',
  otherCode: 'This is a code, but not one of a device to be linked.',
  invitationCode: 'This is an invitation. Open it under “Open a link”.',
  scanAgain: 'Scan again',

  stopAsk: 'Stop linking?',
  stopText: 'Nothing was handed over yet. The new device stays empty.',
  stopLate:
    'It is being handed over already. If the new device got everything, it is linked all the same: ' +
    'look at the list of devices.',
  stop: 'Stop linking',
  goOn: 'Go on',
}
