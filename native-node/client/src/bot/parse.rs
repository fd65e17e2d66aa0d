//! One line of input: a command, or what is wrong with it.
//!
//! Invariant: an error says where and what, but repeats no value that could be a passcode.

use crate::lines::Line;
use crate::problem::{NOTHING_CHANGED, problem};
use account::api::{Event, Request};

fn failed(id: u64, code: &str, happened: String, todo: &str) -> Box<Event> {
    Box::new(Event::Failed {
        id,
        error: problem(code, happened, NOTHING_CHANGED, todo),
    })
}

/// The command of a line; `None` for a blank one.
pub fn request(line: &Line) -> Result<Option<Request>, Box<Event>> {
    let Line::Whole(bytes) = line else {
        return Err(failed(
            0,
            "line_too_long",
            "A line of more than 96 MiB was skipped.".into(),
            "Send one command a line; the longest is import with an exported account.",
        ));
    };
    let bytes = bytes.trim_ascii();
    if bytes.is_empty() {
        return Ok(None);
    }
    match serde_json::from_slice::<Request>(bytes) {
        Ok(request) => Ok(Some(request)),
        Err(error) => Err(refused(bytes, &error)),
    }
}

fn refused(bytes: &[u8], error: &serde_json::Error) -> Box<Event> {
    let Ok(value) = serde_json::from_slice::<serde_json::Value>(bytes) else {
        return failed(
            0,
            "json_invalid",
            format!("The line is not JSON (column {}).", error.column()),
            "Send one JSON object a line, such as {\"id\":1,\"cmd\":\"snapshot\"}.",
        );
    };
    let id = value.get("id").and_then(serde_json::Value::as_u64);
    if id.is_none() {
        return failed(
            0,
            "command_invalid",
            "The command has no id, or its id is not a whole number from 0 on.".into(),
            "Give each command an id of its own; its answer carries it.",
        );
    }
    failed(
        id.unwrap_or(0),
        "command_invalid",
        format!("This is not a command: {}.", reason(error)),
        "See native-node/client/BOT.md for every command and its fields.",
    )
}

/// What the parser says, where it cannot hold a value of the line.
fn reason(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let harmless = ["missing field", "unknown variant", "duplicate field"];
    match harmless.iter().any(|start| text.starts_with(start)) {
        // A long name of a command is not worth repeating.
        true if text.len() <= 600 => text,
        true => "no such command".to_owned(),
        false => "a field has the wrong type".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use super::*;
    use account::api::Problem;

    fn of(text: &str) -> Result<Option<Request>, (u64, Problem)> {
        request(&Line::Whole(text.as_bytes().to_vec())).map_err(|event| match *event {
            Event::Failed { id, error } => (id, error),
            other => panic!("{other:?}"),
        })
    }

    fn code(text: &str) -> (u64, String) {
        let (id, problem) = of(text).unwrap_err();
        (id, problem.code)
    }

    #[test]
    fn commands_and_blank_lines() {
        assert!(of("").unwrap().is_none());
        assert!(of("  \r").unwrap().is_none());
        let request = of(" {\"id\":7,\"cmd\":\"snapshot\",\"more\":1}\r").unwrap();
        assert_eq!(request.unwrap().id, 7);
    }

    #[test]
    fn the_id_is_found_where_there_is_one() {
        for text in [
            "{",
            "nonsense",
            "\"\u{0}\"x",
            "{\"id\":1,\"cmd\":\"lock\"",
            "[[[",
        ] {
            assert_eq!(code(text), (0, "json_invalid".into()), "{text}");
        }
        for text in [
            "[]",
            "3",
            "{}",
            "{\"id\":-1,\"cmd\":\"lock\"}",
            "{\"cmd\":\"lock\"}",
        ] {
            assert_eq!(code(text), (0, "command_invalid".into()), "{text}");
        }
        for text in [
            "{\"id\":9}",
            "{\"id\":9,\"cmd\":\"fly\"}",
            "{\"id\":9,\"cmd\":\"send\"}",
        ] {
            assert_eq!(code(text), (9, "command_invalid".into()), "{text}");
        }
        let deep = "[".repeat(100_000);
        assert_eq!(code(&deep), (0, "json_invalid".into()));
        let not_text = request(&Line::Whole(vec![0xff, 0xfe])).unwrap_err();
        assert!(matches!(*not_text, Event::Failed { id: 0, .. }));
        assert!(request(&Line::TooLong).is_err());
    }

    #[test]
    fn secrets_are_not_repeated() {
        let line = "{\"id\":1,\"cmd\":\"unlock\",\"passcode\":\"x\",\"remember\":\"hunter2\"}";
        let (id, problem) = of(line).unwrap_err();
        assert_eq!(id, 1);
        assert!(!format!("{problem:?}").contains("hunter2"), "{problem:?}");
    }
}
