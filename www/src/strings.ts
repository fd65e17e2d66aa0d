/**
 * Every English text of the page, in one place: those about one's own account are in
 * stringsOwn.ts. What is said while a device is linked is loaded later: stringsDevices.ts. Functions where a value goes in.
 */
import { n } from './plural'
import { elsewhere, profile, recovery, removed, repair, settings } from './stringsOwn'

export const s = {
  app: 'WireMin',
  skip: 'Skip to the conversation',
  starting: 'Opening your messages…',

  common: {
    back: 'Back',
    next: 'Continue',
    cancel: 'Cancel',
    close: 'Close',
    save: 'Save',
    copy: 'Copy',
    copied: 'Copied',
    copyFailed: 'Your browser refused to copy. Select the text and copy it by hand.',
    more: 'More actions',
    show: 'Show',
    hide: 'Hide',
    working: 'Working…',
    accountId: 'Account id',
    nameless: (start: string) => `Nameless ${start}`,
    share: 'Share…',
    dismiss: 'Dismiss',
  },

  welcome: {
    title: ['Messages between people.', 'Nothing in between.'],
    lead:
      'No phone number, no company, no server that keeps your messages. Your account is a key ' +
      'that only you hold, made here on this device.',
    create: 'Create an account',
    createHint: 'Takes about two minutes',
    link: 'Link to a device you already use',
    linkHint: 'With contacts and history',
    restore: 'Restore with 18 words',
    restoreHint: 'Your account and contacts, without history',
    import: 'Import an exported file',
    importHint: 'With contacts and history',
    host: (host: string) => `This page was served by ${host}`,
    noRelay:
      'It has no relay of its own. Your first one comes with an invitation that you open, or you ' +
      'add one in Settings.',
  },

  unprotected: {
    title: 'This page came over an unprotected connection',
    changed: (host: string) =>
      `Anybody between ${host} and you could have changed it, so that it hands on your words, ` +
      'passcode and messages. Enter nothing here that opens an account elsewhere.',
    lacks:
      'Your browser also holds back some things: the passcode is asked for each time, a second tab ' +
      'takes over without asking, and messages may be cleared when the disk is full. For more than ' +
      'trying out, open the page by https, or on the computer that serves it.',
    passcode:
      'It is asked for each time this page opens: the page came over an unprotected connection, ' +
      'so the browser cannot keep it safely.',
    invite:
      'The link leads to this unprotected page. Better: ask people to paste it under “Open a ' +
      'link” in a page of their own.',
  },

  steps: (at: number, of: number) => `Step ${at} of ${of}`,

  name: {
    title: 'What should people call you?',
    lead: 'People you invite or greet will see this name. You can change it later.',
    label: 'Display name',
    placeholder: 'Ada',
    empty: 'Enter a name, or just a first letter.',
    long: 'That name is too long. Shorten it a little.',
  },

  words: {
    title: 'Write down these 18 words',
    lead:
      'They are your account. With them you can restore it on any device, with your contacts as ' +
      'far as relays have kept them, though not your messages: those need an exported file. Keep ' +
      'the words on paper, in this order, where nobody else looks.',
    warn: 'Nobody can give them back to you if they are lost, and whoever has them is you.',
    copy: 'Copy all words',
    copyWarn:
      'Other programs can read what you copy. Paste it somewhere safe, then copy something else.',
    drawing: 'Drawing your words…',
    done: 'I have written them down',
    wordAt: (at: number) => `Word ${at}`,
  },

  confirm: {
    title: 'Check your notes',
    lead: 'Enter these three words from what you wrote down. You can paste all 18 as well.',
    wrong: (at: number) => `This is not word ${at}.`,
    missing: (at: number) => `Enter word ${at}.`,
    again: 'Show the words again',
  },

  restore: {
    title: 'Enter your 18 words',
    lead:
      'Type them in order, or paste all of them into any field. They bring back your account, and ' +
      'your contacts and settings as far as relays have kept them. Messages come back with an ' +
      'exported file only.',
    unknown: (word: string) => `“${word}” is not in the list.`,
    near: 'Did you mean',
    progress: (count: number) => `${count} of 18 words`,
    leadsTo: 'These words lead to',
    fine: 'All 18 words are right.',
    warnTitle: 'The words do not pass their own check',
    warn:
      'Most likely one is mistyped or two are swapped. Compare them with your notes before you go ' +
      'on: a wrong word opens somebody else’s empty account.',
    warnAccept: 'I compared them, and this is the id I expect',
    clear: 'Clear all',
    suggestions: (at: number) => `Suggestions for word ${at}`,
  },

  passcode: {
    title: 'Choose a passcode for this device',
    lead:
      'It encrypts what this device keeps. It is not your account: other devices have their own, ' +
      'and you can change it at any time.',
    label: 'Passcode',
    old: 'Current passcode',
    fresh: 'New passcode',
    repeat: 'Repeat the passcode',
    hint: 'At least 8 characters. A few unrelated words work well.',
    short: (missing: number) => `${n(missing, 'character', 'characters')} to go.`,
    differ: 'The two do not match.',
    strength: ['Easily guessed', 'Easily guessed', 'Weak', 'Good', 'Strong'] as const,
    strengthLabel: 'Strength',
    refused: 'Too easy to guess. Make it longer or less usual.',
    weak: 'You can use this, but somebody who copies your device could guess it. Longer is better.',
    unchecked: 'The strength check could not be loaded: use at least 12 characters.',
    checking: 'Checking…',
    remember: 'Remember on this device for 20 hours',
    rememberHint: 'Otherwise it is asked each time this page opens.',
  },

  learn: {
    title: 'Who learns what',
    lead: 'Read this once, before anything leaves this device.',
    relayTitle: 'The relays that carry your messages',
    relay:
      'learn your IP address, and when you fetch and send. They cannot read your messages, your ' +
      'name or your contacts’. While few people use one, it may guess from timing who writes to ' +
      'whom. This app keeps in touch with up to three, and finds others when one is gone.',
    hostTitle: (host: string) => `Whoever serves this page: ${host}`,
    host:
      'gives your browser the program you are using. An honest one learns your IP address only. ' +
      'A dishonest one could serve a changed program that reads your words, passcode and ' +
      'messages. Strongest is a page you serve yourself, from your own computer.',
    way: 'This one came without https, so anybody between the two of you could have done that, too.',
    contactsTitle: 'The people you write with',
    contacts:
      'see your name and id, and that a message arrived. Messages do not show them your IP ' +
      'address. A relay that their invitation names does see it: you are asked before one is ' +
      'contacted that you do not use. What they received stays theirs, even when you delete it here.',
    deviceTitle: 'This device',
    device:
      'keeps everything encrypted under your passcode. If you clear this browser’s data, it is ' +
      'gone: export your account now and then. In a private window everything is gone when you ' +
      'close it.',
    agreeCreate: 'I understand, create my account',
    agreeRestore: 'I understand, restore my account',
    agreeImport: 'I understand, import my account',
    creating: 'Locking your account with the passcode…',
  },

  importing: {
    title: 'Import an exported account',
    lead:
      'Choose the file you exported, and enter the passphrase you gave it then. This is a move: ' +
      'do not go on with the account on the old device, or conversations split between the two.',
    file: 'Exported file',
    choose: 'Choose a file',
    passphrase: 'Passphrase of the file',
    noFile: 'Choose the exported file first.',
    tooLarge: 'This file is too large to be an exported account.',
  },

  unlock: {
    title: (name: string) => `Welcome back${name ? `, ${name}` : ''}`,
    lead: 'Enter the passcode of this device.',
    button: 'Unlock',
    unlocking: 'Unlocking…',
    attempts: (count: number) => `${n(count, 'wrong attempt', 'wrong attempts')} so far.`,
    waiting: 'Too many wrong attempts. Wait before you try again.',
    wait: (time: string) => `Too many wrong attempts. You can try again in ${time}.`,
    forgot: 'Forgot the passcode?',
    forgotText:
      'It cannot be reset. You can erase this device and start again: another device of yours that ' +
      'has the words can link it anew; your 18 words bring back the account, and contacts as far ' +
      'as relays have kept them, but no messages; an exported file brings back what it held when ' +
      'it was saved. All else on this device is lost then.',
  },

  list: {
    title: 'Conversations',
    invite: 'Invite',
    open: 'Open a link',
    greetings: 'Greetings',
    greetingsCount: (count: number) => n(count, 'person wants to talk', 'people want to talk'),
    settings: 'Settings',
    lock: 'Lock',
    empty: 'No conversations yet',
    emptyHint: 'Invite somebody with a link or QR code, or open a link that you were sent.',
    noRelay: 'No relay yet',
    noRelayHint:
      'This page has none of its own, and it takes one to reach others. Open an invitation: its ' +
      'relays become yours with your greeting. Or add one in Settings.',
    unread: (count: number) => n(count, 'unread message', 'unread messages'),
    you: 'You: ',
    greeted: 'Greeting sent',
    added: 'Say hello',
    cleared: 'No messages',
  },

  link: {
    open: 'Connected',
    catching_up: 'Fetching what you missed…',
    connecting: 'Connecting…',
    down: 'No connection. Messages wait here.',
    none: 'No relay yet. Open an invitation or add a relay.',
  },

  home: {
    title: 'Pick a conversation',
    lead: 'Or start a new one. Nobody can write to you unless you invited them, or greeted them.',
    firstTitle: (name: string) => `Hello ${name}`,
    firstLead: 'Nobody can find you or write to you until you invite them. Two ways to begin:',
    restoredTitle: (name: string) => `Welcome back, ${name}`,
    restoredLead:
      'Your account is here again, without contacts. If you have an exported file, erase this ' +
      'device in Settings and import it: that brings back messages, too. Otherwise invite people ' +
      'again.',
    inviteTitle: 'Invite somebody',
    inviteText: 'Make a link or a QR code and send it in any way you like.',
    openTitle: 'Open an invitation',
    openText: 'You got a link? Paste it here, from any host.',
    noRelay:
      'This page has no relay of its own yet, and it takes one to reach others. Two ways to get one:',
    openRelayText: 'You got a link? The relays that it names become yours with your greeting.',
    addRelayTitle: 'Add a relay',
    addRelayText: 'You run one, or know somebody who does? Paste its hint in Settings.',
  },

  greetings: {
    title: 'Greetings',
    lead: 'People who opened one of your invitations. They can write to you once you accept.',
    empty: 'Nobody is waiting',
    emptyHint: 'When somebody opens your invitation, their greeting appears here.',
    accept: 'Accept',
    decline: 'Decline',
    block: 'Block',
    noText: 'No text came with this greeting.',
    known: (name: string) =>
      `This is the account of your contact ${name}. They lost what they had, or somebody else has ` +
      'their 18 words: ask them in another way before you accept.',
    accepted: (name: string) => `You can write with ${name} now.`,
    declined: 'Declined. They are not told.',
    blocked: 'Blocked. Later greetings from this account are refused.',
  },

  chat: {
    placeholder: (name: string) => `Message ${name}`,
    label: 'Message',
    send: 'Send',
    keys: 'Enter to send, Shift + Enter for a new line',
    left: (bytes: number) => `${bytes} bytes left`,
    over: (bytes: number) => `${bytes} bytes too long. Shorten it or send it in parts.`,
    earlier: 'Show earlier messages',
    loading: 'Loading…',
    begin: 'Messages here are end-to-end encrypted. Relays carry them and cannot read them.',
    emptyActive: (name: string) => `You and ${name} can write now.`,
    emptyGreeted: (name: string) => `Your greeting is on its way to ${name}.`,
    greeted: (name: string) =>
      `${name} has not accepted yet. What you write now is sent as soon as they do.`,
    blocked: (name: string) => `You blocked ${name}. Neither of you can write.`,
    unblock: 'Unblock',
    info: (name: string) => `About ${name}`,
    log: (name: string) => `Conversation with ${name}`,
    actions: 'Actions for this message',
    copyText: 'Copy text',
    delete: 'Delete for me',
    cancelSend: 'Stop sending',
    retry: 'Send again',
    deleteStop: 'Delete and stop sending',
    deleted: 'Deleted on this device.',
    deletedStopped: (stored: boolean) =>
      stored
        ? 'Deleted, and not sent again. A relay has stored it already, so it may still arrive.'
        : 'Deleted, and not sent.',
    noText: 'Greeting without text',
    failedNew: (name: string) => `A message to ${name} was not sent.`,
    new: (name: string, text: string) => `${name}: ${text}`,
    toBottom: 'Newest messages',
    newLine: 'New messages',
    unsaved: 'Saving…',
    unsavedTip: 'Keep this page open: the message is sent once this device has saved it.',
    mine: 'You',
    returning: (name: string) =>
      `You began anew with ${name}. What you write is sent once their device has answered, which ` +
      'it does by itself when it is online.',
    returned: {
      title: (name: string) => `Is it ${name}?`,
      text: (name: string, until: string) =>
        `${name} came back with a new device, while one they had before was heard from lately. ` +
        `What you write waits until ${until}, or until you say that it is them.`,
      confirm: 'It is them',
      confirmed: (name: string) => `What you write goes to ${name}’s new device.`,
      compare: 'Compare the number',
      words:
        'Whoever has their 18 words has this number, too. So ask, by voice or in person, whether ' +
        'they came back.',
    },
    notices: {
      device_changed: {
        brief: 'Another device',
        title: (name: string) => `${name} writes from another device now.`,
        text:
          'They linked one more device, or began anew with their 18 words; or somebody else has ' +
          'the words. Earlier messages are not affected. Ask them in another way before you trust ' +
          'what comes.',
      },
      came_back: {
        brief: 'Back with a new device',
        title: (name: string) => `${name} is back with a new device, from the 18 words.`,
        text:
          'They lost what they had, or somebody else has the words. Call or meet them, compare the ' +
          'safety number, and ask whether they came back, before you trust what comes. Earlier ' +
          'messages are not affected.',
      },
      device_removed: {
        brief: 'A device was taken out',
        title: (name: string) => `${name} took a device out of their account.`,
        text: 'What comes from that device is not taken any more, and it can’t read what you write from now on.',
      },
    },
  },

  day: { today: 'Today', yesterday: 'Yesterday' },

  delivery: {
    waiting: 'Waiting',
    work: (percent: number) => `Working… ${percent} %`,
    workLong: 'Working… longer than usual',
    workTip: 'Your device does the work that keeps spam out, then the message leaves.',
    keys: 'Waiting for keys',
    keysTip: (name: string) =>
      `${name} has not published fresh keys lately. The message is sent once they come online.`,
    relay: 'Waiting for a relay',
    relayTip: 'No relay is connected. The message is sent as soon as one is.',
    relayLinkedTip: 'The relay has not taken it yet. It is tried again by itself.',
    relayRoom: 'Waiting for room at the relay',
    relayRoomTip:
      'The relay is full, or takes no more from this address for now. The message is kept here ' +
      'and tried again by itself.',
    acceptance: 'Waiting for acceptance',
    device: 'Sent by your other device',
    deviceTip: 'Another device of yours sends it. Whether it arrived shows here as well.',
    confirmation: 'Waits until you confirm',
    confirmationTip: (name: string) =>
      `${name} came back with a new device while another was in use. The message is sent once you ` +
      'have said, where you write, that it is them, or three days after they came.',
    answer: (name: string) => `Waits until ${name}’s device answers`,
    answerTip: (name: string) =>
      `You began anew with ${name}, and their device has not answered yet. It does so by itself ` +
      'when it is online; the message is sent then.',
    acceptanceTip: (name: string) => `The message is sent once ${name} accepts your greeting.`,
    stored: (relays: number, until: string) =>
      `Stored by ${n(relays, 'relay', 'relays')} until ${until}`,
    storedTip: 'Signed for by each relay. Without a confirmation it is sent again after that.',
    storedLast: (relays: number) =>
      `Stored by ${n(relays, 'relay', 'relays')}; no confirmation will come`,
    storedLastTip: 'Delivery confirmations are off between you, so it is not sent again.',
    delivered: 'Delivered',
    deliveredTip: (when: string) => `Confirmation received ${when}.`,
    cancelled: 'Not sent',
    cancelledTip: 'You stopped it before it left this device.',
    cancelledStored: 'Stopped, may still arrive',
    cancelledStoredTip: 'A relay had stored it already; it is not sent again.',
    failed: 'Failed',
  },

  contact: {
    title: 'Contact',
    since: (date: string) => `Contact since ${date}`,
    safety: 'Safety number',
    safetyHint: (name: string) =>
      `Compare these digits with ${name}, in person or on a call. If they match, nobody sits ` +
      'between you.',
    acknowledge: 'Confirm delivery',
    acknowledgeHint: (name: string) =>
      `${name} sees that messages arrived on your device. Turned off, you get no confirmations ` +
      'for your own messages either.',
    clear: 'Delete conversation',
    clearAsk: (name: string) => `Delete all messages with ${name} on this device?`,
    clearText:
      'Their copies stay with them. What is still on its way is not sent any more; what a relay ' +
      'has stored may still arrive. The contact is kept.',
    remove: 'Remove contact',
    removeAsk: (name: string) => `Remove ${name}?`,
    removeText:
      'Deletes the keys and the conversation on this device. To talk again you need a new invitation.',
    block: 'Block and remove',
    blockAsk: (name: string) => `Block ${name}?`,
    blockText:
      'Deletes the keys and the conversation, and refuses later greetings from this account.',
    cleared: 'Conversation deleted on this device.',
    removed: (name: string) => `${name} was removed.`,
    blocked: (name: string) => `${name} was blocked.`,
  },

  invite: {
    title: 'Invite somebody',
    lead: 'Whoever opens your link can greet you. You decide then whether to accept.',
    expiry: 'Valid for',
    hours: { 1: '1 hour', 24: '1 day', 168: '7 days', 720: '30 days' } as Record<number, string>,
    single: 'Works once',
    singleHint: 'Ends with the first person you accept.',
    make: 'Make an invitation',
    making: 'Making it…',
    ready: 'Your invitation',
    readyLead: 'Send the link, or let them scan the code.',
    link: 'Invitation link',
    copy: 'Copy link',
    copied: 'Link copied',
    loopback:
      'This page runs on your own computer, so the link opens on this computer only. Elsewhere it ' +
      'can be pasted under “Open a link”.',
    publishing: 'On its way to a relay. Until then, whoever opens it finds nothing.',
    qr: 'QR code of the invitation link',
    qrFailed: 'The code could not be drawn. Use the link.',
    wordless:
      'This device was linked without the 18 words. Make invitations on one of yours that has them.',
    list: 'Your invitations',
    show: 'Show',
    revoke: 'Revoke',
    revokeAsk: 'Revoke this invitation?',
    revokeText: 'Nobody can greet you with it any more. People you accepted stay.',
    revoked: 'Invitation withdrawn. Nobody can greet you with it any more.',
    until: (when: string) => `until ${when}`,
    once: 'works once',
    many: 'works for several people',
    states: {
      publishing: 'Publishing',
      live: 'Live',
      revoking: 'Being revoked',
      revoked: 'Revoked',
      used: 'Used',
      expired: 'Expired',
    },
  },

  open: {
    title: 'Open an invitation',
    lead: 'Paste the link you were sent. It may point to any host: the invitation is in the part behind #.',
    label: 'Invitation link',
    placeholder: 'https://…/#…',
    look: 'Look it up',
    scan: 'Scan a code',
    linkCode: 'This is the code of a device to be linked. Scan it in Settings, Devices.',
    looking: 'Looking it up…',
    from: 'invites you',
    until: (when: string) => `Valid until ${when}`,
    own: 'This is your own invitation',
    ownText: 'Send the link to somebody else: they open it, greet you, and you accept.',
    relaysTitle: (count: number) =>
      `This contacts ${count === 1 ? 'a relay' : 'relays'} you do not use`,
    relaysText: (count: number) =>
      `Whoever made the link chose ${count === 1 ? 'it' : 'them'}. Looking the invitation up shows ` +
      'your IP address to:',
    relaysKept: (count: number) =>
      `If you send a greeting, ${count === 1 ? 'it is' : 'they are'} added to your relays. You can ` +
      'remove them in Settings.',
    agree: 'Look it up there',
    known: (name: string) => `You know ${name} already.`,
    greeted: (name: string) =>
      `You greeted ${name} before. If that invitation has ended, greet again with this one.`,
    toChat: 'Go to the conversation',
    text: 'A few words with your greeting',
    textHint: 'So that they know who you are. They see your name and your account id, too.',
    textPlaceholder: 'Hi, it’s me from…',
    send: 'Send greeting',
    sending: 'Sending…',
    later: 'Not now',
    other: 'Use another link',
    pendingTitle: 'You opened an invitation',
    pendingNew:
      'Create an account or restore yours here, and you can answer it. This page does not keep ' +
      'the link: if you reload it first, open the link again.',
    pendingLocked:
      'Unlock, and you can answer it. If you reload this page first, open the link again.',
    hostNote: (host: string) =>
      `This page was served by ${host}, which may belong to whoever sent the link. ` +
      'If you have an account elsewhere, open the link from your own page instead of entering ' +
      'words or a passcode here.',
  },

  settings,
  profile,
  recovery,
  elsewhere,
  removed,
  repair,

  later: {
    failed:
      'This part of the page could not be loaded: whoever serves it is out of reach. Nothing is lost.',
  },

  trouble: { title: 'Something went wrong', details: 'What to do' },

  stop: {
    useHere: 'Use WireMin here',
    pending:
      'Use WireMin here to answer it, or copy the link and paste it under “Open a link” in the ' +
      'other tab.',
    reload: 'Try again',
  },

  problem: {
    notAPicture: {
      happened: 'This file could not be made into a picture.',
      safe: 'Your profile is as it was.',
      todo: 'Choose another one, as JPEG, PNG or WebP.',
    },
    unsupportedBrowser: (missing: string) => ({
      happened: `This browser lacks what WireMin needs: ${missing}.`,
      safe: 'Nothing was opened or sent.',
      todo: 'Use a current Firefox, Chrome, Edge or Safari, outside of any lockdown mode.',
    }),
    stopped: {
      happened: 'The page stopped before this was done.',
      safe: 'What was saved on this device is untouched.',
      todo: 'Open WireMin again, and look whether it was done.',
    },
    unexpected: (detail: string) => ({
      happened: `Something went wrong that should not: ${detail}`,
      safe: 'What was saved on this device is untouched.',
      todo: 'Reload the page. If it happens again, report these words.',
    }),
  },
}
