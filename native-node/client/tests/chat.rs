//! `wiremin chat` as people use it: two accounts, a relay, processes of their own.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, dead_code)]

mod programs;

use programs::chat::{Chat, command};
use programs::relay::{Relay, report};
use programs::{scratch, wiremin};
use std::path::Path;

const PASSCODE: &str = "correct horse battery";

fn page(relay: &Relay) -> String {
    format!("http://127.0.0.1:{}", relay.port)
}

/// Two people who know each other, and the relay of both.
fn acquainted(dir: &Path, relay: &Relay) -> (Chat, Chat) {
    let named = ["--relay", &page(relay)];
    let mut ann = Chat::start(&dir.join("ann"), &named);
    ann.create("Ann", PASSCODE);
    let mut ben = Chat::start(&dir.join("ben"), &named);
    ben.create("Ben", PASSCODE);
    ann.say("/invite 1h once");
    ann.wait("* Invitation 1");
    let told = ann.wait("is live");
    assert!(!told.contains("wiremin:"));
    let link = ann
        .told
        .split_whitespace()
        .find(|word| word.starts_with("wiremin:"));
    ben.say(&format!("/open {}", link.unwrap()));
    ben.wait("Ann invites you");
    ben.say("/greet Hello Ann");
    ben.wait("You greeted Ann");
    ann.wait("Ben wants to talk");
    ann.wait("<Ben> Hello Ann");
    ann.say("/accept 1");
    ann.wait("goes to Ben");
    ben.wait("Ann accepted");
    (ann, ben)
}

#[test]
fn two_people_meet_write_leave_and_come_back() {
    let dir = scratch();
    let relay = Relay::start(&dir.path().join("relay"), None);
    let (mut ann, mut ben) = acquainted(dir.path(), &relay);

    ann.say("Hi Ben 😀");
    ann.wait("stored by 1 relay");
    ben.wait("<Ann> Hi Ben 😀");
    // What could move a cursor does not leave, nor come in.
    ben.say("one\u{1b}[2J\u{202e}two");
    ann.wait("<Ben> one[2Jtwo");
    ben.say("//shrug");
    ann.wait("<Ben> /shrug");
    ann.wait_anywhere("[1] delivered");
    ben.wait_anywhere("[3] delivered");
    let status = report(&dir.path().join("relay"));
    assert_eq!((status.quic.links, status.webrtc.links), (2, 0));

    ann.say("/safety");
    ben.say("/safety");
    let number = |chat: &mut Chat| {
        chat.wait("both see the same:\n");
        chat.say("/name");
        chat.wait("* You are");
        // Six groups of five; a link may have as many digits by chance.
        let digits = |line: &&str| {
            let groups: Vec<&str> = line.split_whitespace().collect();
            let all = |group: &&str| group.len() == 5 && group.parse::<u32>().is_ok();
            groups.len() == 6 && groups.iter().all(all)
        };
        let rows: Vec<String> = chat
            .told
            .lines()
            .filter(digits)
            .map(str::to_owned)
            .collect();
        assert_eq!(rows.len(), 2, "{}", chat.told);
        rows
    };
    assert_eq!(number(&mut ann), number(&mut ben));

    // Ann leaves; what is written meanwhile waits on the relay.
    ann.say("/quit");
    let (status, told) = ann.end();
    assert!(status.success());
    assert!(
        !told.contains('\u{1b}') && !told.contains('\u{202e}'),
        "{told:?}"
    );
    ben.say("are you there?");
    ben.wait_anywhere("[4] stored by 1 relay");
    let file = dir.path().join("passcode");
    std::fs::write(&file, format!("{PASSCODE}\n")).unwrap();
    let file = ["--passcode-file", file.to_str().unwrap()];
    let mut ann = Chat::start(&dir.path().join("ann"), &file);
    ann.wait("<Ben> are you there?");
    ann.say("yes");
    ben.wait("<Ann> yes");
    ann.say("/history");
    ann.wait("* With Ben:");
    for text in [
        "<Ben> Hello Ann",
        "<you> Hi Ben 😀",
        "<Ben> one[2Jtwo",
        "<you> yes",
    ] {
        ann.wait(text);
    }
    // The same account on another device, from its words.
    let words = |chat: &Chat| chat.words().join(" ");
    let ben_words = words(&ben);
    let mut again = Chat::start(&dir.path().join("again"), &[]);
    again.say("restore");
    again.say("these are not the words");
    again.wait("These are not 18 words of the list (there are 5)");
    again.say(&ben_words);
    again.wait("as contacts see it");
    again.say(&"long".repeat(20));
    again.say("short");
    again.say("short");
    again.wait("A name needs 1 to 64 bytes");
    again.say("Ben");
    again.wait("A passcode needs at least 8 characters");
    again.say(PASSCODE);
    again.say("another one");
    again.wait("The two are not the same");
    again.say(PASSCODE);
    again.say(PASSCODE);
    again.wait("You are Ben");
    again.wait("There is no relay yet");
    again.say("hello?");
    again.wait("There is nobody to write to yet");
    assert!(again.end().0.success());
    ben.end();
    ann.end();
    relay.end();
}

#[test]
fn a_relay_that_goes_and_comes_back_is_noticed() {
    let dir = scratch();
    let data = dir.path().join("relay");
    let relay = Relay::start(&data, None);
    let (mut ann, mut ben) = acquainted(dir.path(), &relay);
    let port = relay.port;
    relay.kill();
    for chat in [&mut ann, &mut ben] {
        chat.wait("No relay is connected any more");
    }
    ann.say("for later");
    ann.wait("[1] queued");
    ann.say("/quit");
    let (_, told) = ann.end();
    assert!(told.contains("1 message is not on a relay yet"), "{told}");
    let relay = Relay::start_at(&data, port, None);
    ben.wait("A relay is connected");
    let mut ann = Chat::start(&dir.path().join("ann"), &[]);
    ann.wait("Passcode");
    ann.say(PASSCODE);
    ben.wait("<Ann> for later");
    ann.kill();
    ben.end();
    relay.end();
}

#[test]
fn what_cannot_work_is_said_in_words() {
    let dir = scratch();
    let data = dir.path().join("a");
    let path = data.to_str().unwrap();
    let mut chat = Chat::start(&data, &[]);
    chat.create("Ann", PASSCODE);
    let output = wiremin(&["chat", "--data", path], b"");
    assert_eq!(output.status.code(), Some(1));
    assert!(
        String::from_utf8(output.stderr)
            .unwrap()
            .contains("in use by another process")
    );
    for (line, said) in [
        ("", ""),
        ("/fly", "no command /fly"),
        ("/accept 1", "no such greeting"),
        ("/accept me", "by its number"),
        ("/revoke 7", "no such invitation"),
        ("/cancel 7", "no such message"),
        ("/greet hello", "No invitation is open"),
        ("/open https://example.org/", "not an invitation link"),
        ("/to Zoe", "nobody of the name Zoe"),
        ("/contacts", "no contacts yet"),
        ("/greetings", "Nobody waits"),
        ("/invites", "no invitations"),
        ("/relay nonsense", "Nothing was changed"),
        ("/safety", "nobody to write to"),
        ("/help", "/history [N]"),
    ] {
        chat.say(line);
        chat.wait(said);
    }
    let (status, told) = chat.end();
    assert!(status.success(), "{told}");

    let passcode = |bytes: &[u8]| {
        let file = dir.path().join("passcode");
        std::fs::write(&file, bytes).unwrap();
        let file = file.to_str().unwrap().to_owned();
        let output = wiremin(&["chat", "--data", path, "--passcode-file", &file], b"");
        let told = [output.stdout, output.stderr].concat();
        (output.status.code(), String::from_utf8(told).unwrap())
    };
    for (bytes, code, said) in [
        (&b""[..], 1, "at least 8 characters"),
        (b"\nsecond line", 1, "at least 8 characters"),
        (b"\xff\n", 1, "cannot be used"),
        (b"not the one\n", 1, "That is not the passcode"),
        (b"correct horse battery\r\nmore", 0, "You are Ann"),
    ] {
        let (status, told) = passcode(bytes);
        assert!(told.contains(said), "{told}");
        assert_eq!(status, Some(code), "{told}");
    }
    // The end of the input, where a passcode is wanted.
    let output = wiremin(&["chat", "--data", path], b"wrong one\n");
    assert_eq!(output.status.code(), Some(1));
    let told = String::from_utf8(output.stdout).unwrap();
    assert!(told.contains("That is not the passcode"), "{told}");
    assert!(
        told.contains("The account was not opened. Nothing was changed."),
        "{told}"
    );
}

#[cfg(unix)]
mod terminal {
    use super::*;
    use nix::pty::{OpenptyResult, Winsize, openpty};
    use nix::sys::signal::{Signal, kill};
    use nix::sys::termios::{LocalFlags, tcgetattr};
    use nix::unistd::Pid;
    use std::fs::File;
    use std::os::fd::OwnedFd;

    /// A chat in a terminal, and the terminal's other end.
    fn start(data: &Path) -> (Chat, OwnedFd) {
        let size = Winsize {
            ws_row: 40,
            ws_col: 120,
            ws_xpixel: 0,
            ws_ypixel: 0,
        };
        let OpenptyResult { master, slave } = openpty(&size, None).unwrap();
        let mut command = command(data, &[]);
        command.env("TERM", "xterm");
        command
            .stdin(slave.try_clone().unwrap())
            .stdout(slave.try_clone().unwrap());
        let child = command.spawn().unwrap();
        let input = Box::new(File::from(master.try_clone().unwrap()));
        (Chat::new(child, input, File::from(master)), slave)
    }

    fn flags(terminal: &OwnedFd) -> LocalFlags {
        tcgetattr(terminal).unwrap().local_flags
    }

    #[test]
    fn a_passcode_is_not_shown_and_the_terminal_is_left_as_it_was() {
        let dir = scratch();
        let data = dir.path().join("a");
        let (mut chat, terminal) = start(&data);
        let before = flags(&terminal);
        assert!(before.contains(LocalFlags::ECHO));
        chat.create("Ann", PASSCODE);
        assert!(!chat.told.contains(PASSCODE), "{}", chat.told);
        chat.say("/contacts\n/help");
        chat.wait("no contacts yet");
        chat.wait("/history [N]");
        // Ctrl-C asks first, Ctrl-D leaves.
        chat.press("\u{3}", "Ctrl-C once more");
        chat.wait("> ");
        while chat.child.try_wait().unwrap().is_none() {
            chat.say("\u{4}");
            std::thread::sleep(std::time::Duration::from_millis(300));
        }
        assert!(chat.child.wait().unwrap().success());
        assert_eq!(flags(&terminal), before);

        for prompt in ["Passcode: ", "You are Ann"] {
            let (mut chat, terminal) = start(&data);
            let before = flags(&terminal);
            chat.wait("Passcode: ");
            if prompt != "Passcode: " {
                chat.say(PASSCODE);
                chat.wait(prompt);
            }
            let pid = Pid::from_raw(chat.child.id().try_into().unwrap());
            kill(pid, Signal::SIGTERM).unwrap();
            assert!(chat.child.wait().unwrap().success());
            assert_eq!(flags(&terminal), before, "{prompt}");
        }
    }
}
