//! What a person or a script can ask of an account, and what it tells them: one vocabulary for the
//! page (through WASM) and for `wiremin bot` (JSON lines). Invariant: every command is answered by
//! exactly one `Done` or `Failed` with its `id`.
//!
//! JSON: commands are `{"id": 7, "cmd": "send", ...}`, events `{"event": "message", ...}`; field
//! names in snake case. Account ids are 52 characters, message, greeting and invitation ids 32 hex
//! digits, times Unix milliseconds.

mod steps;

pub use steps::*;

use alloc::{boxed::Box, string::String, vec::Vec};
use serde::{Deserialize, Serialize};

/// A command with the number its answer carries.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Request {
    pub id: u64,
    #[serde(flatten)]
    pub command: Command,
}

/// What can be asked for. Answers are named behind each.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "cmd", rename_all = "snake_case")]
pub enum Command {
    /// Draws a new seed and forgets it again: `Answer::Words`.
    NewWords,
    /// Which of these words are right, and whose account they lead to: `Answer::WordCheck`.
    CheckWords {
        words: String,
    },
    /// Words of the list that start with this: `Answer::Completions` (8 at most).
    Complete {
        prefix: String,
    },
    /// Makes the account of these words on this device, new or (`restore`) known before.
    Create {
        name: String,
        words: String,
        passcode: String,
        restore: bool,
        remember: bool,
    },
    Unlock {
        passcode: String,
        remember: bool,
    },
    Lock,
    ChangePasscode {
        old: String,
        new: String,
    },
    /// Shows the 18 words again: `Answer::Words`.
    ShowWords {
        passcode: String,
    },
    Rename {
        name: String,
    },
    /// Takes another device of the account out of it. Needs the words.
    RemoveDevice {
        slot: u8,
    },
    /// What contacts are shown beside the name: a text (500 bytes) and a picture (base64 of PNG,
    /// JPEG or WebP, 12,288 bytes and 256x256 at most). What is absent stays, what is empty goes.
    SetProfile {
        #[serde(default)]
        about: Option<String>,
        #[serde(default)]
        avatar: Option<String>,
    },
    /// What people set for all their devices: a text (4,000 bytes) that comes back as
    /// `Event::Settings`, on every device and with the words.
    SetSettings {
        settings: String,
    },
    /// The picture of a contact, or of this account: `Answer::Avatar`.
    Avatar {
        contact: String,
    },
    /// Adds a relay by its hint (base64url), to be dialled from now on.
    AddRelay {
        hint: String,
    },
    /// Stops using a relay (its 16 hex digits): `relay_unknown` if it is not in use.
    RemoveRelay {
        relay: String,
    },
    /// Makes an invitation, valid that many hours (1, 24, 168 or 720): `Answer::Invitation`.
    Invite {
        hours: u32,
        single_use: bool,
    },
    Revoke {
        invite: String,
    },
    /// Reads a link without looking it up, with or without an account: `Answer::Link`.
    CheckLink {
        link: String,
    },
    /// Reads a link (whole, or the part behind `#`) and looks the invitation up: `Answer::Opened`.
    OpenInvite {
        link: String,
    },
    /// Greets the inviter: `Answer::Contact`.
    Greet {
        link: String,
        text: String,
    },
    Accept {
        greeting: String,
    },
    Decline {
        greeting: String,
    },
    Block {
        greeting: String,
    },
    /// Everything the account shows, as events again, ending with `Done`.
    Snapshot,
    /// `Answer::Message`.
    Send {
        contact: String,
        text: String,
    },
    /// Stops sending a message that was not delivered.
    Cancel {
        message: String,
        contact: String,
    },
    /// Sends a cancelled or failed message again.
    Retry {
        message: String,
        contact: String,
    },
    /// Messages before that place, newest last: `Answer::History`. `before: null` is the end.
    History {
        contact: String,
        before: Option<u64>,
        limit: u32,
    },
    MarkRead {
        contact: String,
    },
    DeleteMessage {
        contact: String,
        message: String,
    },
    DeleteConversation {
        contact: String,
    },
    /// Deletes the contact with keys and conversation; `block` also refuses later greetings.
    RemoveContact {
        contact: String,
        block: bool,
    },
    Unblock {
        contact: String,
    },
    /// Whether acknowledgements are sent to that contact.
    Acknowledge {
        contact: String,
        on: bool,
    },
    /// `Answer::SafetyNumber`: 60 digits, the same on both sides.
    SafetyNumber {
        contact: String,
    },
    /// It is them: what waits for the word that a contact came back (`confirmation`) is sent.
    ConfirmReturn {
        contact: String,
    },
    /// Starts anew with all contacts, as after all sessions were lost: with another device key and
    /// other keys of the day. Contacts are told loudly. Mends what nothing else does.
    ComeBack,
    /// Asks the relays once more for what was there before this device.
    LookAgain,
    /// What is here counts, whatever was there before this device.
    StartAnew,
    /// Makes this device the one that speaks for the account again, after `recovered_elsewhere`.
    TakeBack,
    /// The whole account, encrypted under this passphrase: `Answer::File` (base64). As it holds the
    /// words, the passcode is asked for.
    Export {
        passcode: String,
        passphrase: String,
    },
    /// Puts an exported account on this empty device, under a passcode of its own.
    Import {
        file: String,
        passphrase: String,
        passcode: String,
        remember: bool,
    },
    /// Makes this device, which has no account, one of an account: shows a code that a device of
    /// that account scans. Its name in the list of devices; whether it asks for the words too; the
    /// passcode it will have; hints of relays at which the two meet. `Event::Linking` tells the
    /// rest.
    LinkNew {
        device: String,
        full: bool,
        passcode: String,
        remember: bool,
        #[serde(default)]
        relays: Vec<String>,
    },
    /// The code of a new device, on one that has the words. `Event::Linking` tells the rest.
    LinkScan {
        code: String,
    },
    /// The digits are the same on both devices. On the one that has the account: whether the other
    /// one gets the words, which takes the passcode, and of how many days conversations.
    LinkConfirm {
        #[serde(default)]
        full: bool,
        #[serde(default)]
        history_days: u32,
        #[serde(default)]
        passcode: Option<String>,
    },
    /// Ends the linking that is under way.
    LinkCancel,
    /// Destroys everything this device keeps.
    Erase,
}

/// What an account tells.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// A command was carried out.
    Done {
        id: u64,
        #[serde(skip_serializing_if = "Option::is_none", default)]
        answer: Option<Answer>,
    },
    /// A command was not carried out.
    Failed {
        id: u64,
        error: Problem,
    },
    /// What the device is ready for. The first event of all.
    Phase {
        #[serde(flatten)]
        phase: Phase,
    },
    Profile {
        account: String,
        name: String,
        restored: bool,
        #[serde(skip_serializing_if = "String::is_empty", default)]
        about: String,
        /// Hash of the picture, hex.
        #[serde(skip_serializing_if = "Option::is_none", default)]
        avatar: Option<String>,
    },
    /// What was set last, on whichever device.
    Settings {
        settings: String,
    },
    /// All relays this account uses.
    Relays {
        relays: Vec<RelayView>,
        #[serde(skip_serializing_if = "Option::is_none", default)]
        clock_off_s: Option<i64>,
    },
    Invite {
        invite: InviteView,
    },
    InviteRemoved {
        invite: String,
    },
    Greeting {
        greeting: GreetingView,
    },
    GreetingRemoved {
        greeting: String,
    },
    /// New, or changed.
    Contact {
        contact: ContactView,
    },
    ContactRemoved {
        contact: String,
    },
    /// New, or changed.
    Message {
        message: MessageView,
    },
    MessageRemoved {
        contact: String,
        message: String,
    },
    ConversationCleared {
        contact: String,
    },
    /// Proof-of-work for a message, greeting or invitation: 0 to 1 of what is expected, may pass 1.
    Work {
        what: String,
        share: f32,
    },
    /// How far it is with what the words bring back, on a device where the account was made again
    /// from them: told while it is under way, and once when it is done.
    Recovery {
        state: RecoveryState,
        /// Contacts that are here, and those of them who have answered.
        contacts: u32,
        back: u32,
    },
    /// All devices of this account, as far as is known.
    Devices {
        devices: Vec<DeviceView>,
    },
    /// How far the linking of a device is, on the new one and on the one that has the account.
    Linking {
        #[serde(flatten)]
        step: LinkStep,
    },
    /// Something went wrong that no command asked for (disk full, relay refused, clock wrong).
    Trouble {
        problem: Problem,
    },
    /// A trouble with this code is over.
    TroubleOver {
        code: String,
    },
}

/// What a command brought.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Answer {
    Words {
        words: Vec<String>,
    },
    WordCheck {
        /// All 18 are words of the list.
        complete: bool,
        /// The checksum holds. False with `complete`: mistyped, or an account of other software.
        checksum: bool,
        account: Option<String>,
        /// Places (from 0) and what is wrong there.
        unknown: Vec<UnknownWord>,
        count: u32,
    },
    Completions {
        words: Vec<String>,
    },
    /// The link's fragment, without `#`; put behind a page's address, or behind `wiremin:`.
    Invitation {
        invite: InviteView,
        fragment: String,
    },
    Link {
        inviter: String,
        until: u64,
        own: bool,
        /// Addresses of relays that it names and this account does not use: looking it up dials
        /// them, so that they learn where it is asked from.
        new_relays: Vec<String>,
    },
    Opened {
        inviter: String,
        name: String,
        until: u64,
        own: bool,
        #[serde(skip_serializing_if = "Option::is_none", default)]
        contact: Option<Box<ContactView>>,
    },
    Contact {
        contact: Box<ContactView>,
    },
    Message {
        message: Box<MessageView>,
    },
    History {
        messages: Vec<MessageView>,
        more: bool,
        /// Where the page begins: the next one is the one before it.
        first: u64,
    },
    SafetyNumber {
        digits: String,
    },
    File {
        file: String,
    },
    Avatar {
        /// Base64.
        avatar: String,
        /// `image/png`, `image/jpeg` or `image/webp`.
        media: String,
    },
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct UnknownWord {
    pub at: u32,
    pub word: String,
    pub near: Vec<String>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RelayView {
    /// First 16 hex digits of the node key.
    pub relay: String,
    /// As in the hint: `127.0.0.1:8420`.
    pub address: String,
    pub hint: String,
    pub state: RelayState,
    /// Found by this device itself: another relay named it.
    pub found: bool,
    /// Why the last attempt failed, in words.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub error: Option<Problem>,
    /// When it was last asked for a record, another relay gave a newer one.
    #[serde(skip_serializing_if = "core::ops::Not::not", default)]
    pub withheld: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RelayState {
    Connecting,
    /// Connected, fetching what was missed.
    CatchingUp,
    Open,
    /// Tried again by itself.
    Down,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct InviteView {
    pub invite: String,
    pub fragment: String,
    pub until: u64,
    pub single_use: bool,
    pub state: InviteState,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum InviteState {
    /// Not on a relay yet: whoever opens the link now finds nothing.
    Publishing,
    Live,
    /// No relay has taken it back yet: whoever opens the link now may still find it.
    Revoking,
    Revoked,
    Used,
    Expired,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct GreetingView {
    pub greeting: String,
    pub account: String,
    pub name: String,
    pub text: String,
    pub at: u64,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ContactView {
    /// The contact's account id.
    pub contact: String,
    pub name: String,
    pub state: ContactState,
    pub unread: u32,
    pub messages: u64,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub last: Option<MessageView>,
    pub acknowledge: bool,
    /// Neither side has switched acknowledgements off, so messages can become `delivered`.
    pub confirms: bool,
    pub added: u64,
    /// When the conversation last grew, by this device's clock: what lists are sorted by.
    pub changed: u64,
    /// What they show of themselves.
    #[serde(skip_serializing_if = "String::is_empty", default)]
    pub about: String,
    /// Hash of their picture, hex: while it stays the same the picture does.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub avatar: Option<String>,
    /// They came back while a device of before was still heard from: what is written to them waits
    /// until it is confirmed that it is them, or until then.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub confirm_until: Option<u64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ContactState {
    /// We greeted and wait for an answer.
    Greeted,
    Active,
    Blocked,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct MessageView {
    pub message: String,
    pub contact: String,
    pub mine: bool,
    pub text: String,
    /// By the sender's clock; shown, never sorted by.
    pub at: u64,
    /// Sort by (order, mine, index).
    pub order: u64,
    /// Place in this device's history, for paging.
    pub index: u64,
    pub delivery: Delivery,
    /// Not written by anybody: something people should know of, told at its place. `text` is empty.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub notice: Option<Notice>,
}

/// What is told between the messages of a conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Notice {
    /// Their account signed for another device than the one known so far.
    DeviceChanged,
    /// They began anew with their 18 words, on another device: `confirm_until` of the contact.
    CameBack,
    /// They took a device out of their account.
    DeviceRemoved,
}

/// What is known of a message's way, and nothing more.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum Delivery {
    /// Came in, opened, its signature right.
    Received,
    Queued {
        waits_for: WaitsFor,
    },
    /// On that many relays, each with its signed receipt, until then.
    Stored {
        relays: u32,
        until: u64,
    },
    Delivered {
        at: u64,
    },
    /// No longer sent by us; if it was stored before it may still arrive.
    Cancelled {
        was_stored: bool,
    },
    Failed {
        problem: Problem,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WaitsFor {
    Work,
    /// The contact's current keys.
    Keys,
    /// No relay is connected, or none has answered yet.
    Relay,
    /// A connected relay has no room for it now. It is asked again by itself.
    RelayRoom,
    /// The contact has not accepted yet.
    Acceptance,
    /// The contact came back, and it was not confirmed yet that it is them.
    Confirmation,
    /// Another device of this account sends it, and has not told yet that it arrived.
    Device,
}

/// A device of this account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeviceView {
    pub slot: u8,
    pub name: String,
    /// It has the 18 words.
    pub full: bool,
    pub this: bool,
    pub since: u64,
    /// When it last told this one something, by its clock.
    pub heard: Option<u64>,
}

/// An error for people: what happened, whether their data is safe, what to do now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// Stable, for scripts and translations: `wrong_passcode`.
    pub code: String,
    pub happened: String,
    pub safe: String,
    pub todo: String,
}
