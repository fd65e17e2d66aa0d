//! Lines of standard input, each bounded, read on a thread of their own (a blocked read must not
//! keep the process from ending).
//!
//! Invariant: a line that is too long costs no more memory than the longest allowed one.

use std::io::BufRead;
use tokio::sync::mpsc;

/// Longest line: an exported account of 64 MiB in base64, and what stands around it.
pub const LINE_BYTES_MAX: usize = 96 << 20;
/// Lines read ahead.
const AHEAD: usize = 2;

/// What was read.
#[derive(Debug, PartialEq, Eq)]
pub enum Line {
    /// Without its end.
    Whole(Vec<u8>),
    /// Longer than allowed; it was skipped.
    TooLong,
}

/// Starts the thread. The channel closes at the end of the input.
pub fn read_stdin() -> Result<mpsc::Receiver<Line>, String> {
    let (sender, lines) = mpsc::channel(AHEAD);
    std::thread::Builder::new()
        .name("stdin".into())
        .spawn(move || {
            let mut input = std::io::stdin().lock();
            while let Ok(Some(line)) = next(&mut input, LINE_BYTES_MAX) {
                if sender.blocking_send(line).is_err() {
                    return;
                }
            }
        })
        .map_err(|error| format!("Standard input cannot be read ({error})."))?;
    Ok(lines)
}

/// The next line; `None` at the end. A last line needs no line feed.
fn next(input: &mut impl BufRead, bytes_max: usize) -> std::io::Result<Option<Line>> {
    let mut line = Vec::new();
    let mut too_long = false;
    let mut any = false;
    loop {
        let chunk = match input.fill_buf() {
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
            chunk => chunk?,
        };
        let end = chunk.iter().position(|byte| *byte == b'\n');
        let taken = end.unwrap_or(chunk.len());
        any |= !chunk.is_empty();
        let finished = end.is_some() || chunk.is_empty();
        if line.len() + taken > bytes_max {
            too_long = true;
            line = Vec::new();
        }
        if !too_long {
            line.extend_from_slice(chunk.get(..taken).unwrap_or_default());
        }
        input.consume(taken + usize::from(end.is_some()));
        if finished {
            return Ok(match (any, too_long) {
                (false, _) => None,
                (true, true) => Some(Line::TooLong),
                (true, false) => Some(Line::Whole(line)),
            });
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]

    use super::*;
    use std::io::BufReader;

    fn all(text: &[u8], buffer: usize) -> Vec<Line> {
        let mut input = BufReader::with_capacity(buffer, text);
        std::iter::from_fn(|| next(&mut input, 5).unwrap()).collect()
    }

    #[test]
    fn long_lines_are_skipped_and_the_next_is_read() {
        let whole = |text: &[u8]| Line::Whole(text.to_vec());
        for buffer in [1, 3, 100] {
            assert_eq!(
                all(b"a\n\n12345\n123456\n1234567890123\nb", buffer),
                [
                    whole(b"a"),
                    whole(b""),
                    whole(b"12345"),
                    Line::TooLong,
                    Line::TooLong,
                    whole(b"b")
                ]
            );
            assert_eq!(all(b"", buffer), []);
            assert_eq!(all(b"\n", buffer), [whole(b"")]);
        }
    }
}
