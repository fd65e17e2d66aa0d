//! The person's side: lines come in, texts go out. In a terminal the line being typed is edited and
//! stays below what is printed meanwhile; elsewhere lines are read and written as they come.
//!
//! Invariant: nothing is printed but through [`account::shown`], so no text of somebody else can
//! move the cursor, colour the screen or turn the direction of writing.

use super::tty::Tty;
use crate::lines::{self, Line};
use account::shown;
use rustyline::error::ReadlineError;
use rustyline::{DefaultEditor, ExternalPrinter};
use std::io::{IsTerminal, Write};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, mpsc as blocking};
use std::time::{Duration, Instant};
use tokio::sync::mpsc;

/// How long the last texts may take to be printed.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(1);
/// Switches off what the editor switches on: a pasted text that is marked as such.
const BRACKETED_PASTE_OFF: &str = "\x1b[?2004l";

/// How long a prompt waits for what was said before it.
const STUCK_AFTER: Duration = Duration::from_millis(100);

type Printer = Box<dyn ExternalPrinter + Send>;

/// What a person answered.
#[derive(Debug, PartialEq, Eq)]
pub enum Answered {
    Line(String),
    /// The end of the input (Ctrl-D).
    End,
    /// Ctrl-C.
    Interrupted,
}

/// One line that is wanted.
struct Wanted {
    prompt: String,
    hidden: bool,
}

enum Out {
    Text(String),
    Flush(tokio::sync::oneshot::Sender<()>),
}

enum In {
    Editor {
        wants: blocking::Sender<Wanted>,
        answers: mpsc::UnboundedReceiver<Answered>,
    },
    Lines(mpsc::Receiver<Line>),
}

/// Texts that are not printed yet.
#[derive(Clone, Default)]
struct Unprinted(Arc<AtomicUsize>);

impl Unprinted {
    /// Comes back when all is printed, or does not get printed. A prompt belongs below what was
    /// said before it; but a text can be stuck between two lines, until the second is read.
    fn wait(&self) {
        let end = Instant::now() + STUCK_AFTER;
        while self.0.load(Relaxed) > 0 && Instant::now() < end {
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}

/// Both directions.
pub struct Front {
    input: In,
    /// Bounded by what the work for a message lets others send.
    out: blocking::Sender<Out>,
    unprinted: Unprinted,
    tty: Option<Tty>,
    /// A line is being read; whether it is hidden.
    wanted: Option<bool>,
    /// Nobody can be told anything any more.
    gone: bool,
}

impl Front {
    pub fn open() -> Result<Self, String> {
        let refused = |error: std::io::Error| {
            format!(
                "The system refuses threads ({error}). Nothing was changed. Close other programs \
                 and start again."
            )
        };
        let tty = Tty::of_stdin();
        let (out, outs) = blocking::channel();
        let unprinted = Unprinted::default();
        let prints = unprinted.clone();
        let edits = std::io::stdin().is_terminal() && std::io::stdout().is_terminal();
        let input = if edits {
            let editor = DefaultEditor::new();
            let mut editor =
                editor.map_err(|error| format!("The terminal cannot be used ({error})."))?;
            let (wants, wanted) = blocking::channel();
            let (answer, answers) = mpsc::unbounded_channel();
            let (tty, unprinted) = (tty.clone(), unprinted.clone());
            let (ready, printer) = blocking::channel();
            start("print", move || {
                print(&outs, &prints, printer.recv().ok().flatten());
            })
            .map_err(refused)?;
            start("terminal", move || {
                // A terminal that cannot move its cursor has none.
                let printer = editor.create_external_printer().ok();
                let _ = ready.send(printer.map(|it| Box::new(it) as Printer));
                for wanted in wanted {
                    unprinted.wait();
                    if answer
                        .send(read(&mut editor, tty.as_ref(), &wanted))
                        .is_err()
                    {
                        return;
                    }
                }
            })
            .map_err(refused)?;
            In::Editor { wants, answers }
        } else {
            let lines = lines::read_stdin()?;
            start("print", move || print(&outs, &prints, None)).map_err(refused)?;
            In::Lines(lines)
        };
        Ok(Self {
            input,
            out,
            unprinted,
            tty,
            wanted: None,
            gone: false,
        })
    }

    /// Prints a text, above what is being typed.
    pub fn say(&self, text: &str) {
        // The printer is gone with its output, as `want` notices.
        let _ = self.print(text);
    }

    /// Whether there is still somebody to print it.
    fn print(&self, text: &str) -> bool {
        self.unprinted.0.fetch_add(1, Relaxed);
        let text = format!("{}\n", shown::text(text));
        self.out.send(Out::Text(text)).is_ok()
    }

    /// A line is wanted from now on; [`Front::answered`] gives it.
    pub fn want(&mut self, prompt: &str, hidden: bool) {
        if self.wanted.is_some() {
            return;
        }
        self.wanted = Some(hidden);
        let told = match &self.input {
            In::Editor { wants, .. } => {
                let prompt = shown::text(prompt);
                wants.send(Wanted { prompt, hidden }).is_ok()
            }
            In::Lines(_) => {
                if hidden && let Some(tty) = &self.tty {
                    tty.hide();
                }
                self.print(prompt)
            }
        };
        self.gone |= !told;
    }

    /// Dropping the future loses nothing.
    pub async fn answered(&mut self) -> Answered {
        let answered = match &mut self.input {
            _ if self.gone => Answered::End,
            In::Editor { answers, .. } => answers.recv().await.unwrap_or(Answered::End),
            In::Lines(lines) => {
                let line = lines.recv().await;
                if self.wanted == Some(true)
                    && let Some(tty) = &self.tty
                {
                    tty.restore();
                }
                match line {
                    Some(Line::Whole(bytes)) => Answered::Line(text_of(&bytes)),
                    Some(Line::TooLong) => Answered::Line(String::new()),
                    None => Answered::End,
                }
            }
        };
        self.wanted = None;
        answered
    }

    /// Prints what is left, and leaves the terminal as it was.
    pub async fn close(self) {
        let (flushed, done) = tokio::sync::oneshot::channel();
        let _ = self.out.send(Out::Flush(flushed));
        // A reader that is gone, or a terminal that is stopped, has had its reasons.
        let _ = tokio::time::timeout(FLUSH_TIMEOUT, done).await;
        if self.wanted.is_some()
            && let Some(tty) = self.tty
        {
            tty.restore();
            if matches!(self.input, In::Editor { .. }) {
                let _ = write_out(&format!("{BRACKETED_PASTE_OFF}\n"));
            }
        }
    }
}

fn start(name: &str, work: impl FnOnce() + Send + 'static) -> std::io::Result<()> {
    let builder = std::thread::Builder::new().name(name.into());
    builder.spawn(work).map(drop)
}

fn text_of(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    text.trim_end_matches('\r').to_owned()
}

fn write_out(text: &str) -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()
}

/// Prints in the order in which it is told. Through the editor's printer a text may have to wait
/// for the next line to be read, so nobody else must wait for this thread.
fn print(outs: &blocking::Receiver<Out>, unprinted: &Unprinted, mut printer: Option<Printer>) {
    for out in outs {
        match out {
            Out::Text(text) => {
                let printed = match &mut printer {
                    Some(printer) => printer.print(text).is_ok(),
                    None => write_out(&text).is_ok(),
                };
                if !printed {
                    return;
                }
                unprinted.0.fetch_sub(1, Relaxed);
            }
            Out::Flush(flushed) => drop(flushed.send(())),
        }
    }
}

/// Reads a line from the terminal.
fn read(editor: &mut DefaultEditor, tty: Option<&Tty>, wanted: &Wanted) -> Answered {
    if let Some(tty) = tty
        && wanted.hidden
    {
        return read_hidden(tty, &wanted.prompt);
    }
    match editor.readline(&wanted.prompt) {
        Ok(line) => {
            if !wanted.hidden {
                // Kept in memory only; if it is full, the oldest goes.
                let _ = editor.add_history_entry(&line);
            }
            Answered::Line(line)
        }
        Err(ReadlineError::Interrupted) => Answered::Interrupted,
        Err(_) => Answered::End,
    }
}

fn read_hidden(tty: &Tty, prompt: &str) -> Answered {
    let mut line = String::new();
    tty.hide();
    let read = write_out(prompt).and_then(|()| std::io::stdin().read_line(&mut line));
    tty.restore();
    match read {
        Ok(length) if length > 0 => Answered::Line(line.trim_end_matches(['\n', '\r']).to_owned()),
        _ => Answered::End,
    }
}
