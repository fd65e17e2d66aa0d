//! What went wrong, for people: what happened, whether data is safe, what to do.

use account::api::Problem;

pub const NOTHING_CHANGED: &str = "Nothing was changed and nothing was sent.";

pub fn problem(code: &str, happened: String, safe: &str, todo: &str) -> Problem {
    Problem {
        code: code.to_owned(),
        happened,
        safe: safe.to_owned(),
        todo: todo.to_owned(),
    }
}
