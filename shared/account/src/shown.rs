//! Text that came from somebody else and is shown to people: names, greetings, messages. One policy
//! for all of it.
//!
//! Invariant: what leaves here has no control character but line feed and tab (names: none at all),
//! and nothing that turns the direction of text behind it. PROTOCOL.md sections 5 and 6.

use alloc::string::String;

/// Longest name, bytes of UTF-8.
pub const NAME_BYTES_MAX: usize = 64;
/// Longest text of a greeting, bytes of UTF-8.
pub const GREETING_BYTES_MAX: usize = 500;
/// Longest text of a message, bytes of UTF-8.
pub const TEXT_BYTES_MAX: usize = 2_000;

/// A name as it is shown: one line, no space at its ends. May become empty.
pub fn name(raw: &str) -> String {
    let one_line = raw.chars().map(|c| if c.is_whitespace() { ' ' } else { c });
    let kept: String = one_line.filter(|&c| shows(c) && !hides(c)).collect();
    kept.trim().into()
}

/// A text as it is shown: lines and tabs are kept.
pub fn text(raw: &str) -> String {
    raw.chars()
        .filter(|&c| c == '\n' || c == '\t' || shows(c))
        .collect()
}

/// Neither a control character nor one that embeds, overrides or isolates direction.
fn shows(c: char) -> bool {
    !c.is_control()
        && !matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{fff9}'..='\u{fffb}')
}

/// Takes no space: in a name it only serves to look like another. (Joiners are kept: emoji and
/// scripts need them.)
fn hides(c: char) -> bool {
    matches!(
        c,
        '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{2060}'..='\u{2064}' | '\u{feff}' | '\u{ad}'
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_one_line() {
        assert_eq!(name("  Ann\n\u{202e}a\u{200b} B\u{0}\u{7f}  "), "Ann a B");
        assert_eq!(name("\u{feff}\u{2066}\r\n"), "");
        assert_eq!(name("Zoë 👩‍🚀"), "Zoë 👩‍🚀");
    }

    #[test]
    fn texts_keep_lines() {
        assert_eq!(text("a\r\n\tb\u{1b}[31m\u{202e}c"), "a\n\tb[31mc");
    }
}
