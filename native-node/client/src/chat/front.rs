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
use std::sync::mpsc as blocking;
use std::time::Duration;
use tokio::sync::mpsc;

/// How long the last texts may take to be printed.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(1);
/// Switches off what the editor switches on: a pasted text that is marked as such.
const BRACKETED_PASTE_OFF: &str = "\x1b[?2004l";

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
    Want(Wanted),
    Flush(tokio::sync::oneshot::Sender<()>),
}

enum In {
    Editor(mpsc::UnboundedReceiver<Answered>),
    Lines(mpsc::Receiver<Line>),
}

/// Both directions.
pub struct Front {
    input: In,
    /// Bounded by what the work for a message lets others send.
    out: blocking::Sender<Out>,
    tty: Option<Tty>,
    /// A line is being read.
    wanted: Option<bool>,
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
        let edits = std::io::stdin().is_terminal() && std::io::stdout().is_terminal();
        let input = if edits {
            let editor = DefaultEditor::new();
            let editor =
                editor.map_err(|error| format!("The terminal cannot be used ({error})."))?;
            let (want, wants) = blocking::channel();
            let (answer, answers) = mpsc::unbounded_channel();
            start("terminal", {
                let tty = tty.clone();
                let (ready, printer) = blocking::channel();
                start("print", move || {
                    let printer: Option<Box<dyn ExternalPrinter + Send>> =
                        printer.recv().ok().flatten();
                    print(&outs, printer, |wanted| drop(want.send(wanted)));
                })
                .map_err(refused)?;
                move || edit(editor, tty.as_ref(), &ready, &wants, &answer)
            })
            .map_err(refused)?;
            In::Editor(answers)
        } else {
            let lines = lines::read_stdin()?;
            start("print", move || {
                let plain = |wanted: Wanted| drop(write_out(&format!("{}\n", wanted.prompt)));
                print(&outs, None, plain);
            })
            .map_err(refused)?;
            In::Lines(lines)
        };
        Ok(Self {
            input,
            out,
            tty,
            wanted: None,
        })
    }

    /// Prints a text, above what is being typed.
    pub fn say(&self, text: &str) {
        // The printer is gone with its output.
        let _ = self.out.send(Out::Text(format!("{}\n", shown::text(text))));
    }

    /// A line is wanted from now on; [`Front::answered`] gives it.
    pub fn want(&mut self, prompt: &str, hidden: bool) {
        if self.wanted.is_some() {
            return;
        }
        self.wanted = Some(hidden);
        if matches!(self.input, In::Lines(_))
            && hidden
            && let Some(tty) = &self.tty
        {
            tty.hide();
        }
        let prompt = shown::text(prompt);
        let _ = self.out.send(Out::Want(Wanted { prompt, hidden }));
    }

    /// Dropping the future loses nothing.
    pub async fn answered(&mut self) -> Answered {
        let answered = match &mut self.input {
            In::Editor(answers) => answers.recv().await.unwrap_or(Answered::End),
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
            if matches!(self.input, In::Editor(_)) {
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

/// The thread that prints, in the order in which it is told. Through the editor's printer a text
/// may have to wait for the next line to be wanted, so nobody else must wait for this one.
fn print(
    outs: &blocking::Receiver<Out>,
    mut printer: Option<Box<dyn ExternalPrinter + Send>>,
    want: impl Fn(Wanted),
) {
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
            }
            Out::Want(wanted) => want(wanted),
            Out::Flush(flushed) => drop(flushed.send(())),
        }
    }
}

/// The thread that reads the terminal.
fn edit(
    mut editor: DefaultEditor,
    tty: Option<&Tty>,
    ready: &blocking::Sender<Option<Box<dyn ExternalPrinter + Send>>>,
    wants: &blocking::Receiver<Wanted>,
    answers: &mpsc::UnboundedSender<Answered>,
) {
    // A terminal that cannot move its cursor has none.
    let printer = editor.create_external_printer().ok();
    let printer = printer.map(|it| Box::new(it) as Box<dyn ExternalPrinter + Send>);
    let _ = ready.send(printer);
    for wanted in wants {
        let answered = match tty {
            Some(tty) if wanted.hidden => read_hidden(tty, &wanted.prompt),
            _ => match editor.readline(&wanted.prompt) {
                Ok(line) => {
                    if !wanted.hidden {
                        // Kept in memory only; if it is full, the oldest goes.
                        let _ = editor.add_history_entry(&line);
                    }
                    Answered::Line(line)
                }
                Err(ReadlineError::Interrupted) => Answered::Interrupted,
                Err(_) => Answered::End,
            },
        };
        if answers.send(answered).is_err() {
            return;
        }
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
