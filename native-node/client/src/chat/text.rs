//! Sentences of the chat.
//!
//! Invariant: a message of somebody else stands behind a name in angle brackets, its further lines
//! behind a bar; what the program says begins with a star. No text can pass for another.

use account::api::{
    Delivery, InviteState, MessageView, Notice, Problem, RelayState, RelayView, WaitsFor,
};
use std::time::{SystemTime, UNIX_EPOCH};

/// Further lines of a text.
const NEXT_LINE: &str = "\n  | ";

pub fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| since.as_millis().try_into().unwrap_or(u64::MAX))
}

/// About how long that is.
pub fn span(ms: u64) -> String {
    let minutes = ms.div_ceil(60_000);
    match minutes {
        0 | 1 => "a minute".into(),
        2..120 => format!("{minutes} minutes"),
        120..2_880 => format!("{} hours", minutes / 60),
        _ => format!("{} days", minutes / 1_440),
    }
}

/// A time by the clock of whoever wrote it.
pub fn age(at: u64) -> String {
    format!("{} ago", span(now_ms().saturating_sub(at)))
}

pub fn count(number: usize, one: &str) -> String {
    match number {
        1 => format!("1 {one}"),
        number => format!("{number} {one}s"),
    }
}

pub fn problem(problem: &Problem) -> String {
    format!("* {} {} {}", problem.happened, problem.safe, problem.todo)
}

/// What somebody wrote.
pub fn said(name: &str, text: &str) -> String {
    format!("<{name}> {}", lines(text))
}

/// A text of several lines, so that none of them can pass for another's.
pub fn lines(text: &str) -> String {
    text.replace('\n', NEXT_LINE)
}

pub fn notice(notice: Notice, name: &str) -> String {
    match notice {
        Notice::DeviceChanged => format!(
            "* {name} writes from another device than before. If you did not expect that, compare \
             /safety with them by another way."
        ),
        Notice::CameBack => format!(
            "* {name} is back with a new device, from the 18 words. If you did not expect that, \
             ask them by another way: somebody else may have the words."
        ),
        Notice::DeviceRemoved => format!(
            "* {name} took a device out of their account. Nothing that it says is taken any more, \
             and it can't read what you write from now on."
        ),
    }
}

/// A message of the history.
pub fn past(message: &MessageView, name: &str) -> String {
    let age = age(message.at);
    match (message.notice, message.mine) {
        (Some(notice), _) => format!("{} ({age})", self::notice(notice, name)),
        (None, true) => {
            let state = delivery(&message.delivery);
            format!("{} ({age}; {state})", said("you", &message.text))
        }
        (None, false) => format!("{} ({age})", said(name, &message.text)),
    }
}

/// How far a message of ours is: no more than what is known.
pub fn delivery(delivery: &Delivery) -> String {
    match delivery {
        Delivery::Received => "received".into(),
        Delivery::Queued { waits_for } => format!("queued: {}", waits(*waits_for)),
        Delivery::Stored { relays, until } => {
            let relays = count(usize::try_from(*relays).unwrap_or(usize::MAX), "relay");
            let left = span(until.saturating_sub(now_ms()));
            format!("stored by {relays}, for {left}")
        }
        Delivery::Delivered { .. } => "delivered".into(),
        Delivery::Cancelled { was_stored: false } => "cancelled, it never left".into(),
        Delivery::Cancelled { was_stored: true } => {
            "cancelled, but it was stored: it may still arrive".into()
        }
        Delivery::Failed { problem } => {
            format!(
                "failed. {} {} {}",
                problem.happened, problem.safe, problem.todo
            )
        }
    }
}

fn waits(waits_for: WaitsFor) -> &'static str {
    match waits_for {
        WaitsFor::Work => "doing the work that keeps spam out",
        WaitsFor::Keys => "looking for the contact's keys",
        WaitsFor::Relay => "waiting for a relay",
        WaitsFor::RelayRoom => "the relay has no room now, it is asked again",
        WaitsFor::Acceptance => "waiting until the contact has accepted",
        WaitsFor::Confirmation => "waiting until it is sure that it is them: 3 days, or /confirm",
        WaitsFor::Device => "another device of yours sends it",
    }
}

pub fn invite_state(state: InviteState) -> &'static str {
    match state {
        InviteState::Publishing => "not on a relay yet: whoever opens it now finds nothing",
        InviteState::Live => "live: it works now",
        InviteState::Revoking => "being taken back: it may still work",
        InviteState::Revoked => "revoked",
        InviteState::Used => "used",
        InviteState::Expired => "expired",
    }
}

pub fn relay(relay: &RelayView) -> String {
    let state = match relay.state {
        RelayState::Connecting => "connecting",
        RelayState::CatchingUp => "connected, fetching what was missed",
        RelayState::Open => "connected",
        RelayState::Down => "not reached; tried again by itself",
    };
    let found = if relay.found {
        ", found by this device"
    } else {
        ""
    };
    let error = match &relay.error {
        Some(error) if relay.state == RelayState::Down => format!(" ({})", error.happened),
        _ => String::new(),
    };
    format!(
        "  {}  {}{found}: {state}{error}",
        relay.relay, relay.address
    )
}

/// The 18 words in three columns, read from left to right.
pub fn grid(words: &[String]) -> String {
    let cell = |(index, word): (usize, &String)| format!("{:>4}. {word:<12}", index + 1);
    let cells: Vec<String> = words.iter().enumerate().map(cell).collect();
    let rows: Vec<String> = cells
        .chunks(3)
        .map(|row| row.concat().trim_end().to_owned())
        .collect();
    rows.join("\n")
}

/// 60 digits in groups of five.
pub fn digits(digits: &str) -> String {
    let characters: Vec<char> = digits.chars().collect();
    let groups: Vec<String> = characters
        .chunks(5)
        .map(|five| five.iter().collect())
        .collect();
    let rows: Vec<String> = groups
        .chunks(6)
        .map(|six| format!("  {}", six.join(" ")))
        .collect();
    rows.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_line_of_a_text_passes_for_another() {
        let text = said("Ann", "one\n* two\n<Ben> three");
        assert_eq!(text, "<Ann> one\n  | * two\n  | <Ben> three");
    }

    #[test]
    fn spans_are_about_right() {
        let of = |minutes: u64| span(minutes * 60_000);
        assert_eq!((of(0), of(1)), ("a minute".into(), "a minute".into()));
        assert_eq!((of(119), of(120)), ("119 minutes".into(), "2 hours".into()));
        assert_eq!((of(2_879), of(2_880)), ("47 hours".into(), "2 days".into()));
        assert_eq!(
            (count(1, "relay"), count(2, "relay")),
            ("1 relay".into(), "2 relays".into())
        );
    }

    #[test]
    fn digits_and_words_stand_in_rows() {
        let sixty = "0123456789".repeat(6);
        let row = "  01234 56789 01234 56789 01234 56789";
        assert_eq!(digits(&sixty), format!("{row}\n{row}"));
        let words: Vec<String> = (0..18).map(|number| format!("word{number}")).collect();
        let grid = grid(&words);
        assert_eq!(grid.lines().count(), 6);
        assert!(grid.contains("18. word17"));
    }
}
