//! What the demo tells, for people or for machines.

use super::letters::Letter;
use std::io::Write;
use std::time::Instant;

/// Tells each step with its time.
pub struct Teller {
    json: bool,
    start: Instant,
    step: Instant,
    steps: u32,
}

impl Teller {
    pub fn new(json: bool) -> Self {
        let now = Instant::now();
        Self {
            json,
            start: now,
            step: now,
            steps: 0,
        }
    }

    /// A step is done. `name` is stable, `text` for people.
    pub fn done(&mut self, name: &str, text: &str) {
        let took = self.step.elapsed();
        let at = self.start.elapsed();
        self.step = Instant::now();
        self.steps += 1;
        self.line(
            &serde_json::json!({
                "event": "step",
                "step": name,
                "text": text,
                "took_ms": millis(took),
                "at_ms": millis(at),
            }),
            &format!(
                "{:>7.2} s  {text}  (+{:.2} s)",
                at.as_secs_f64(),
                took.as_secs_f64()
            ),
        );
    }

    /// What became of a message.
    pub fn letter(&self, number: usize, from: &str, to: &str, letter: &Letter) {
        let json = serde_json::json!({
            "event": "message",
            "number": number,
            "from": from,
            "to": to,
            "during": letter.during,
            "stored_by": letter.stored,
            "took_ms": letter.took.map(millis),
            "confirmed": letter.confirmed,
        });
        let arrived = match letter.took {
            Some(took) => format!("arrived after {:>6.2} s", took.as_secs_f64()),
            None => "did not arrive         ".to_owned(),
        };
        let confirmed = if letter.confirmed { ", confirmed" } else { "" };
        let text = format!(
            "{number:>7}    {from:<5} to {to:<5}  {arrived}, stored by {}  ({}{confirmed})",
            letter.stored, letter.during
        );
        self.line(&json, &text);
    }

    pub fn finished(&self) {
        let at = self.start.elapsed();
        self.line(
            &serde_json::json!({
                "event": "finished",
                "ok": true,
                "steps": self.steps,
                "at_ms": millis(at),
            }),
            &format!(
                "{:>7.2} s  Every text arrived, byte for byte. The demo's files are removed.",
                at.as_secs_f64()
            ),
        );
    }

    pub fn failed(&self, error: &str) {
        let at = self.start.elapsed();
        let line = serde_json::json!({
            "event": "finished",
            "ok": false,
            "steps": self.steps,
            "at_ms": millis(at),
            "error": error,
        });
        let text = format!(
            "{:>7.2} s  The demo did not succeed: {error} Its files are removed; your own data \
             was never touched.",
            at.as_secs_f64()
        );
        self.line(&line, &text);
    }

    fn line(&self, json: &serde_json::Value, text: &str) {
        let line = match self.json {
            true => json.to_string(),
            false => text.to_owned(),
        };
        // A reader that is gone does not stop the journey; its exit code still counts.
        let mut out = std::io::stdout().lock();
        let _ = writeln!(out, "{line}").and_then(|()| out.flush());
    }
}

fn millis(duration: std::time::Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
