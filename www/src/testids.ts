/**
 * The `data-testid` of everything a person can use, for tests that drive the page. Stable.
 * Rows of lists carry the id of what they show in a second attribute (`data-contact`,
 * `data-message`, `data-greeting`, `data-invite`, `data-relay`), messages also `data-state`
 * (the delivery state) and `data-mine`.
 */
export const T = {
  // Pages
  starting: 'starting',
  stop: 'stop',
  stopAction: 'stop-action',
  welcome: 'welcome',
  unlock: 'unlock',
  app: 'app',
  // Welcome and the wizards
  welcomeCreate: 'welcome-create',
  welcomeRestore: 'welcome-restore',
  welcomeImport: 'welcome-import',
  welcomeLink: 'welcome-link',
  /** Whose page it is, and whether that is a relay. */
  welcomeHost: 'welcome-host',
  /** Said where the page came over plain http; in the place of `remember` then the other. */
  unprotected: 'unprotected',
  notRemembered: 'not-remembered',
  back: 'back',
  next: 'next',
  nameInput: 'name-input',
  /** The list of words; each word is a `word` with `data-at` from 1. */
  words: 'words',
  word: 'word',
  wordsCopy: 'words-copy',
  wordsAgain: 'words-again',
  /** Three fields with `data-at` from 1. */
  confirmWord: 'confirm-word',
  /** 18 fields with `data-at` from 1. */
  restoreWord: 'restore-word',
  restoreSuggestion: 'restore-suggestion',
  restoreError: 'restore-error',
  restoreWarning: 'restore-warning',
  restoreAccept: 'restore-accept',
  restoreAccount: 'restore-account',
  passcode: 'passcode',
  passcodeRepeat: 'passcode-repeat',
  passcodeOld: 'passcode-old',
  passcodeShow: 'passcode-show',
  /** With `data-score` 0 to 4 once it is checked. */
  strength: 'strength',
  remember: 'remember',
  learn: 'learn',
  agree: 'agree',
  importFile: 'import-file',
  importPassphrase: 'import-passphrase',
  formError: 'form-error',
  // Unlock
  unlockButton: 'unlock-button',
  unlockWait: 'unlock-wait',
  unlockForgot: 'unlock-forgot',
  // List
  list: 'list',
  navInvite: 'nav-invite',
  navOpen: 'nav-open',
  navGreetings: 'nav-greetings',
  navSettings: 'nav-settings',
  navLock: 'nav-lock',
  linkState: 'link-state',
  conversation: 'conversation',
  unread: 'unread',
  listEmpty: 'list-empty',
  /** Said beside the list while the account knows no relay and the page brought none. */
  noRelay: 'no-relay',
  // Greetings
  greetings: 'greetings',
  greeting: 'greeting',
  greetingAccept: 'greeting-accept',
  greetingDecline: 'greeting-decline',
  greetingBlock: 'greeting-block',
  // Conversation
  chat: 'chat',
  chatInfo: 'chat-info',
  log: 'log',
  message: 'message',
  messageText: 'message-text',
  messageMenu: 'message-menu',
  messageCopy: 'message-copy',
  messageDelete: 'message-delete',
  messageCancel: 'message-cancel',
  messageRetry: 'message-retry',
  messageNotice: 'message-notice',
  /** A text that is not saved yet; it becomes a `message` then. */
  messageUnsaved: 'message-unsaved',
  newLine: 'new-line',
  delivery: 'delivery',
  earlier: 'earlier',
  toBottom: 'to-bottom',
  composer: 'composer',
  composerCount: 'composer-count',
  send: 'send',
  unblock: 'unblock',
  /** Who came back, and whether it is them. */
  returned: 'returned',
  returnedConfirm: 'returned-confirm',
  returnedCompare: 'returned-compare',
  /** Whose device has not answered since one began anew oneself. */
  returning: 'returning',
  // Contact sheet
  contact: 'contact',
  contactAbout: 'contact-about',
  safetyNumber: 'safety-number',
  acknowledge: 'acknowledge',
  contactClear: 'contact-clear',
  contactRemove: 'contact-remove',
  contactBlock: 'contact-block',
  // Invitations
  invites: 'invites',
  /** Radio buttons with `value` 1, 24, 168, 720. */
  inviteHours: 'invite-hours',
  inviteSingle: 'invite-single',
  inviteMake: 'invite-make',
  inviteLink: 'invite-link',
  inviteCopy: 'invite-copy',
  inviteQr: 'invite-qr',
  /** Rows, with `data-state`. */
  invite: 'invite',
  inviteShow: 'invite-show',
  inviteRevoke: 'invite-revoke',
  // Open a link
  open: 'open',
  openLink: 'open-link',
  openLook: 'open-look',
  openScan: 'open-scan',
  /** Relays that a link names and this account does not use, told before it is looked up. */
  openRelays: 'open-relays',
  openAgree: 'open-agree',
  openName: 'open-name',
  openHost: 'open-host',
  openText: 'open-text',
  openSend: 'open-send',
  openToChat: 'open-to-chat',
  openOther: 'open-other',
  pending: 'pending',
  // Settings
  settings: 'settings',
  settingsName: 'settings-name',
  /** Saves the words about oneself, too. */
  settingsNameSave: 'settings-name-save',
  settingsAbout: 'settings-about',
  settingsPicture: 'settings-picture',
  settingsPictureRemove: 'settings-picture-remove',
  settingsAccount: 'settings-account',
  settingsWords: 'settings-words',
  settingsPasscode: 'settings-passcode',
  settingsLock: 'settings-lock',
  settingsExport: 'settings-export',
  exportPassphrase: 'export-passphrase',
  /** With `data-state`, and `data-found` true or false: whether it was found by itself. */
  relay: 'relay',
  relayHint: 'relay-hint',
  relayAdd: 'relay-add',
  relayRemove: 'relay-remove',
  relayCopy: 'relay-copy',
  /** Radio buttons with `value` system, light, dark. */
  theme: 'theme',
  privacy: 'privacy',
  /** What opens, and what is done then. */
  settingsRepair: 'settings-repair',
  settingsComeBack: 'settings-come-back',
  settingsErase: 'settings-erase',
  eraseWord: 'erase-word',
  eraseButton: 'erase-button',
  // A restored account, with `data-state` looking, nothing, found or done
  recovery: 'recovery',
  recoveryAgain: 'recovery-again',
  /** Goes on with what is here. */
  recoveryAnew: 'recovery-anew',
  recoveryDismiss: 'recovery-dismiss',
  // This account on another device
  elsewhere: 'elsewhere',
  elsewhereMine: 'elsewhere-mine',
  elsewhereTake: 'elsewhere-take',
  /** Said in each conversation while it is not chosen. */
  elsewhereChat: 'elsewhere-chat',
  elsewhereChoose: 'elsewhere-choose',
  // This device taken out of the account
  removed: 'removed',
  removedErase: 'removed-erase',
  removedRead: 'removed-read',
  /** Said in each conversation, in place of the field to write in. */
  removedChat: 'removed-chat',
  removedChoose: 'removed-choose',
  // Devices and linking one
  /** Rows, with `data-slot`, and `data-full` and `data-this` true or false. */
  device: 'device',
  deviceLink: 'device-link',
  /** In the row of another device. */
  deviceRemove: 'device-remove',
  /** Said where this device has no words. */
  wordless: 'wordless',
  /**
   * What is shown of linking, on both sides, with `data-step`: scan, asking, connecting, shown,
   * compare, give, waiting, moving, done, failed, stop.
   */
  linking: 'linking',
  linkSheet: 'link-sheet',
  linkName: 'link-name',
  /** Radio buttons with `value` linked, full. */
  linkKind: 'link-kind',
  linkQr: 'link-qr',
  linkLeft: 'link-left',
  linkText: 'link-text',
  linkCopy: 'link-copy',
  linkAnew: 'link-anew',
  linkRead: 'link-read',
  /** With the six digits as `data-digits`. */
  linkDigits: 'link-digits',
  linkWho: 'link-who',
  linkAccount: 'link-account',
  linkSame: 'link-same',
  linkDifferent: 'link-different',
  /** Radio buttons with `value` 0, 7, 30, 365. */
  linkDays: 'link-days',
  linkGive: 'link-give',
  linkCancel: 'link-cancel',
  linkClose: 'link-close',
  linkStay: 'link-stay',
  linkStop: 'link-stop',
  // Reading a code
  scanner: 'scanner',
  scanCamera: 'scan-camera',
  scanVideo: 'scan-video',
  scanStop: 'scan-stop',
  scanFailed: 'scan-failed',
  scanPicture: 'scan-picture',
  scanNothing: 'scan-nothing',
  /** A code of another kind than is wanted. */
  scanOther: 'scan-other',
  // Everywhere
  /** Of who shows a picture, with its hash as `data-picture`. */
  avatar: 'avatar',
  sheet: 'sheet',
  sheetConfirm: 'sheet-confirm',
  sheetClose: 'sheet-close',
  toast: 'toast',
  /** With `data-code`. */
  trouble: 'trouble',
  troubleDismiss: 'trouble-dismiss',
} as const
