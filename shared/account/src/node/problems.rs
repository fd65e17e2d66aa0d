//! Every error a person can meet: what happened, whether their data is safe, what to do now.
//!
//! Invariant: codes are stable (scripts and translations hang on them) and texts hold no secrets.

use crate::api::Problem;
use alloc::{format, string::ToString};

fn problem(code: &str, happened: &str, safe: &str, todo: &str) -> Problem {
    Problem {
        code: code.to_string(),
        happened: happened.to_string(),
        safe: safe.to_string(),
        todo: todo.to_string(),
    }
}

const NO_LINK: &str = "No device was linked.";
const NOTHING_CHANGED: &str = "Nothing was changed and nothing was sent.";

macro_rules! problems {
    ($($name:ident: $happened:expr, $safe:expr, $todo:expr;)*) => {
        $(pub fn $name() -> Problem {
            problem(stringify!($name), $happened, $safe, $todo)
        })*
    };
}

problems! {
    state_full: "There is no more room for what your devices and the network agree on.",
        "Everything is kept on this device, but not all of it would come back from your 18 words.",
        "Remove contacts you no longer need.";
    locked: "The account is locked.", NOTHING_CHANGED, "Unlock it with the passcode first.";
    no_account: "There is no account on this device yet.", NOTHING_CHANGED,
        "Create one, restore one from its 18 words, or import an exported file.";
    account_exists: "There is already an account on this device.",
        "It was left as it was.", "Erase this device first, or use another browser profile.";
    busy: "The last command of this kind is still being carried out.", NOTHING_CHANGED,
        "Wait for its answer and try again.";
    starting: "The account is still being read from the store.", NOTHING_CHANGED,
        "Wait a moment and try again.";
    wrong_passcode: "That is not the passcode of this device.", "Your data is untouched.",
        "Check capital letters and the keyboard layout, then try again. After five \
         wrong attempts there is a wait.";
    passcode_too_short: "A passcode needs at least 8 characters.", NOTHING_CHANGED,
        "Choose a longer one; a few random words are easy to remember.";
    passcode_too_long: "A passcode may have 1,024 bytes at most.", NOTHING_CHANGED,
        "Choose a shorter one.";
    name_invalid: "A name needs 1 to 64 bytes and no control characters.", NOTHING_CHANGED,
        "Choose another name.";
    about_too_long: "This text may have 500 bytes at most.", NOTHING_CHANGED, "Shorten it.";
    avatar_invalid:
        "This is not a PNG, JPEG or WebP picture of 256x256 pixels and 12,288 bytes at most.",
        NOTHING_CHANGED, "Choose another picture, or make it smaller.";
    no_avatar: "There is no picture.", NOTHING_CHANGED, "Nothing needs to be done.";
    words_invalid: "These are not 18 words of the list.", NOTHING_CHANGED,
        "Check the words that are marked; all 18 are needed, in their order.";
    not_a_link: "This is not an invitation link.", NOTHING_CHANGED,
        "Copy the whole link, from https:// or wiremin: to its end.";
    link_mangled: "The invitation link is damaged: part of it is missing or changed.",
        NOTHING_CHANGED, "Copy it again as a whole, or ask for a new one.";
    link_newer: "The invitation was made by a newer version of WireMin.", NOTHING_CHANGED,
        "Update, or reload the page, and open the link again.";
    invitation_expired: "The invitation has expired.", NOTHING_CHANGED,
        "Ask the person who sent it for a new one.";
    invitation_revoked:
        "The invitation was withdrawn by the person who made it, or used up.",
        NOTHING_CHANGED,
        "Ask them for a new one.";
    invitation_not_found: "No relay that could be reached has this invitation.", NOTHING_CHANGED,
        "It may not be published yet: ask the sender to stay online for a moment, then try again.";
    invitation_false: "What the relay keeps under this invitation was not made by its sender.",
        NOTHING_CHANGED, "Try again through another relay, and tell the sender.";
    own_invitation: "This is your own invitation.", NOTHING_CHANGED,
        "Send it to the person you want to talk to.";
    already_contact: "You and this person are already connected.", NOTHING_CHANGED,
        "Open the conversation.";
    greeting_too_long: "A greeting may have 500 bytes at most.", NOTHING_CHANGED, "Shorten it.";
    greeting_unknown: "This greeting is not in the list any more.", NOTHING_CHANGED,
        "Reload the list.";
    hours_invalid: "An invitation can be valid for 1, 24, 168 or 720 hours.", NOTHING_CHANGED,
        "Choose one of these.";
    invites_full: "There are 64 open invitations already.", NOTHING_CHANGED,
        "Revoke one that is not needed any more.";
    invite_unknown: "There is no such invitation.", NOTHING_CHANGED, "Reload the list.";
    no_relay: "No relay is known that others could use to reach you.", NOTHING_CHANGED,
        "Open the page from a relay, or add a relay by its hint.";
    hint_invalid: "This is not a relay's hint.", NOTHING_CHANGED,
        "Copy it again from the relay's start message.";
    relays_full: "This account uses 8 relays already.", NOTHING_CHANGED, "No more are needed.";
    relay_gone: "The relay does not answer.",
        "Your messages are kept on this device and sent when it is back.",
        "Check your connection. It is tried again by itself.";
    relay_false: "What answered is not the relay its address belongs to.",
        "Nothing was sent to it.", "Somebody may be in between. Ask for a new invitation or hint.";
    relay_other:
        "The relay belongs to another network or speaks another version.",
        "Nothing was sent to it.",
        "Use another relay, or reload the page.";
    record_withheld:
        "A relay shows an older profile or older keys of a contact than the contact has written.",
        "What was known is kept: nothing goes back to the older state.",
        "It is asked for again by itself. Add another relay if this stays.";
    settings_too_long: "Settings may have 4,000 bytes at most.", NOTHING_CHANGED, "Keep fewer.";
    relay_unknown: "This account does not use such a relay.", NOTHING_CHANGED, "Reload the list.";
    relay_unsupported: "This browser cannot open WebRTC data channels to that relay.",
        "Your account is kept, and nothing was sent.",
        "Use a current Firefox, Chromium or Safari, and check that WebRTC is not switched off.";
    greeting_unanswered: "The invitation ended before this greeting was answered.",
        "The greeting is kept here. If it has arrived, an answer still counts.",
        "Ask for a new invitation, open it and greet again.";
    greeting_too_late:
        "The invitation was withdrawn, or used up by somebody else, before this greeting was \
            answered.",
        "The greeting is kept here. If it had arrived before, an answer still counts.",
        "Ask for a new invitation, open it and greet again.";
    contact_unknown: "There is no such contact.", NOTHING_CHANGED, "Reload the list.";
    contact_blocked: "This contact is blocked.", NOTHING_CHANGED, "Unblock it first.";
    text_empty: "There is no text.", NOTHING_CHANGED, "Write something first.";
    text_too_long: "A message may have 2,000 bytes at most.", NOTHING_CHANGED,
        "Split it into several messages.";
    outbox_full: "256 messages to this contact are still on their way.", NOTHING_CHANGED,
        "Wait until some are delivered, or cancel some.";
    message_unknown: "There is no such message.", NOTHING_CHANGED, "Reload the conversation.";
    recovered_elsewhere: "Your account was restored from its 18 words on another device.",
        "What is here stays, but nothing new comes: your contacts write to the other one.",
        "If that was you, go on there. If not, somebody has your words: take the account back \
        here, and tell your contacts.";
    superseded: "Your account was restored on another device, and this one cannot send.",
        NOTHING_CHANGED, "Go on with the other device, or take the account back here.";
    needs_full_device: "This device has not the 18 words of the account.", NOTHING_CHANGED,
        "Do this on a device that has them.";
    no_such_device: "There is no such device.", NOTHING_CHANGED, "Look at the list again.";
    this_device: "This is the device that you are on.", NOTHING_CHANGED,
        "Take it out from another one, or erase it.";
    device_removed: "This device was taken out of your account by another one.",
        "What is on it stays readable. Nothing new comes, and nothing can be sent.",
        "Copy what you need, then erase this device. To use it again, erase it and link it anew.";
    device_removed_unsent:
        "The device that wrote this was taken out of your account before it was delivered.",
        "The text is still here.", "Send it again from here.";
    certificate_ended:
        "What this device was given to speak for the account has ended.",
        "What is here stays, and what comes is still read. Nothing can be sent from here.",
        "Open WireMin on a device that has the words.";
    devices_full: "This account has 8 devices already, or has had lately.", NOTHING_CHANGED,
        "Go on with one of these.";
    link_timed_out: "The other device did not answer in time.", NO_LINK,
        "See that both are online, and start anew on the new device.";
    link_refused: "It was refused on one of the two devices.", NO_LINK,
        "Start anew on the new device, if that was a mistake.";
    link_disturbed: "Somebody else has seen the code and took part.", NO_LINK,
        "Start anew on the new device, and show its code to nobody else.";
    link_old_code: "This code is not valid any more, or one of the two clocks is wrong.", NO_LINK,
        "Show a new code on the new device, and check the clocks of both.";
    link_not_a_code: "This is not the code of a new device, or part of it is missing.", NO_LINK,
        "Scan the code that the new device shows, or copy all of it.";
    link_unsure: "Everything was sent, and the new device did not say that it has it.",
        "It may be linked, and counts as linked here.",
        "Look at the new device. If it has no account, start anew there.";
    link_not_taken: "The new device could not keep what it got.", NO_LINK,
        "Free some space on it, and start anew.";
    link_malformed: "What the other device says is not understood here.", NO_LINK,
        "Update both, or reload the page, and start anew on the new device.";
    return_unknown: "Nobody who came back waits for your word here.", NOTHING_CHANGED,
        "Reload the conversation.";
    message_done: "This message is not waiting any more.", NOTHING_CHANGED,
        "Nothing needs to be done.";
    not_an_export: "This is not a WireMin export file.", NOTHING_CHANGED,
        "Choose the file that was saved by Export.";
    export_newer: "The file was made by a newer version of WireMin.", NOTHING_CHANGED,
        "Update, or reload the page, and import it again.";
    wrong_passphrase: "That is not the passphrase of this file.", NOTHING_CHANGED,
        "Use the passphrase that was chosen when the file was saved.";
    export_damaged: "The file is damaged or not complete.", NOTHING_CHANGED,
        "Copy it again from where it was saved.";
    export_too_large: "The account is larger than 64 MiB.", NOTHING_CHANGED,
        "Delete conversations that are not needed, then export again.";
    disk_full: "The disk, or this browser's quota, is full.",
        "What is stored is kept; what is new is kept only while this stays open.",
        "Free some space now, without reloading; it is tried again by itself every few seconds. \
         The account can be exported meanwhile.";
    store_unavailable:
        "The store cannot be used: another tab has it, this is a private window, or it is damaged.",

        "Nothing new can be stored.",
        "Close other tabs of WireMin, leave private browsing, and reload.";
    store_emptied:
        "What this app had stored here was deleted, as some browsers do when the disk is full.",
        "Your account, your contacts and what is still on its way are in memory, and are written \
         back as soon as there is room. Older messages on this device are lost.",
        "Free some space now, without reloading, then export the account.";
    store_lost:
        "What this app had stored here was deleted, as some browsers do when the disk is full, \
         and nothing of a locked account is in memory.",
        "Contacts and messages of this device are lost, unless you have exported them. The \
         account itself comes back from its 18 words.",
        "Free some space, then import your last export, or restore the account from its words.";
    export_partial: "The messages stored here could not be read for the file.",
        "The file holds the account, its contacts and what is still on its way, but no older \
         messages.",
        "Keep the file, and export again when the store works.";
    store_newer: "What is stored here was written by a newer version of WireMin.",
        "It was left as it was.", "Update, or reload the page.";
    store_damaged: "Part of what is stored here could not be read.",
        "The rest is still there.", "Import your last export on another device, and report this.";
    memory_short:
        "This device has not the memory that checking a passcode takes (64 MiB).",
        NOTHING_CHANGED,
        "Close other programs or tabs, then try again.";
    not_possible: "This cannot be done now.", NOTHING_CHANGED, "Try again later.";
}

/// Too many wrong passcodes: no attempt is taken before `seconds` have passed.
pub fn passcode_wait(seconds: u64) -> Problem {
    let mut p = problem("passcode_wait", "", "Your data is untouched.", "");
    p.happened = format!("Too many wrong passcodes. The next attempt is taken in {seconds} s.");
    p.todo = "Wait, or restore the account from its 18 words on another device.".to_string();
    p
}

/// A relay said no for a reason the sender cannot mend alone.
pub fn relay_refused(code: u8) -> Problem {
    let mut p = problem(
        "relay_refused",
        "",
        "The message is kept on this device.",
        "",
    );
    p.happened = format!("The relay refused to store it (reason {code}).");
    p.todo = "Retry, or use another relay.".to_string();
    p
}

/// The machine's clock is far from the relays'.
pub fn clock_wrong(off_s: i64) -> Problem {
    let mut p = problem(
        "clock_wrong",
        "",
        "Messages still go out, dated by the relays' time.",
        "",
    );
    p.happened = format!(
        "This device's clock is off by about {} minutes.",
        off_s / 60
    );
    p.todo = "Set the clock right.".to_string();
    p
}
