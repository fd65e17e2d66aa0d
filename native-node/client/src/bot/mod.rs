//! `wiremin bot`: an account in a process, one command a line in, one event a line out. BOT.md
//! says how to use it.
//!
//! Invariant: every line that is not blank is answered by exactly one `done` or `failed`, and no
//! input ends the process before its end.

mod parse;

use crate::args::BotArgs;
use crate::lines::{self, Line};
use crate::problem::{NOTHING_CHANGED, problem};
use crate::relays::OWN_IDS;
use crate::session::{FAULT, Session, Told, signalled};
use account::api::{Command, Event};
use std::collections::BTreeMap;
use std::process::ExitCode;
use std::time::Duration;
use tokio::io::AsyncWriteExt;
use tokio::sync::{mpsc, watch};

/// Commands that wait for their answer; more lines are read when there are fewer.
const UNANSWERED_MAX: usize = 64;
/// How long commands may take to be answered after the end of the input.
const ANSWERS_AFTER_END: Duration = Duration::from_secs(60);
/// How long the last line may take to be read.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(1);

/// Runs until the end of the input, or a signal.
pub async fn run(args: BotArgs) -> ExitCode {
    let started = Session::start(&args.data, args.network)
        .and_then(|session| Ok((session, lines::read_stdin()?)));
    let (session, lines) = match started {
        Ok(started) => started,
        Err(error) => {
            eprintln!("{error}");
            return ExitCode::FAILURE;
        }
    };
    let bot = Bot {
        ending: session.ending(),
        session,
        lines: Some(lines),
        unanswered: BTreeMap::new(),
        barrier: None,
        out: tokio::io::stdout(),
    };
    bot.serve().await
}

struct Bot {
    session: Session,
    /// `None` after the end of the input.
    lines: Option<mpsc::Receiver<Line>>,
    /// Ids of commands without an answer, and how often each.
    unanswered: BTreeMap<u64, usize>,
    /// A command after which everything is different; others wait for its answer.
    barrier: Option<u64>,
    out: tokio::io::Stdout,
    /// A signal came.
    ending: watch::Receiver<bool>,
}

/// The output is gone, or nobody reads it and a signal came.
struct NoOutput;

impl Bot {
    async fn serve(mut self) -> ExitCode {
        let mut code = ExitCode::SUCCESS;
        let patience = tokio::time::sleep(ANSWERS_AFTER_END);
        tokio::pin!(patience);
        loop {
            let takes_lines = self.takes_lines();
            if self.lines.is_none() && self.unanswered.is_empty() {
                break;
            }
            let told = tokio::select! {
                told = self.session.next() => match told {
                    Told::Event(event) => self.on_event(&event).await,
                    // What is waited for is found out anew above.
                    Told::Turn => Ok(()),
                    Told::Fault => {
                        eprintln!("{FAULT}");
                        code = ExitCode::FAILURE;
                        break;
                    }
                    Told::AskedToEnd => break,
                },
                line = read(&mut self.lines), if takes_lines => {
                    if line.is_none() {
                        self.lines = None;
                        let end = tokio::time::Instant::now() + ANSWERS_AFTER_END;
                        patience.as_mut().reset(end);
                    }
                    self.on_line(line).await
                }
                () = &mut patience, if self.lines.is_none() => break,
            };
            if told.is_err() {
                break;
            }
        }
        self.session.stop().await;
        // A reader that is gone has had its reasons.
        let _ = tokio::time::timeout(FLUSH_TIMEOUT, self.out.flush()).await;
        code
    }

    fn takes_lines(&self) -> bool {
        self.lines.is_some()
            && self.session.takes_commands()
            && self.barrier.is_none()
            && self.unanswered.len() < UNANSWERED_MAX
    }

    async fn on_line(&mut self, line: Option<Line>) -> Result<(), NoOutput> {
        let Some(line) = line else {
            return Ok(());
        };
        match parse::request(&line) {
            Ok(None) => Ok(()),
            Ok(Some(request)) if request.id >= OWN_IDS => {
                let problem = problem(
                    "id_too_large",
                    "Ids of the last 65,536 numbers are not for scripts.".into(),
                    NOTHING_CHANGED,
                    "Count from 1.",
                );
                let id = request.id;
                self.tell(&Event::Failed { id, error: problem }).await
            }
            Ok(Some(request)) => {
                *self.unanswered.entry(request.id).or_default() += 1;
                if changes_phase(&request.command) {
                    self.barrier = Some(request.id);
                }
                self.session.request(request);
                Ok(())
            }
            Err(event) => self.tell(&event).await,
        }
    }

    async fn on_event(&mut self, event: &Event) -> Result<(), NoOutput> {
        if let Event::Done { id, .. } | Event::Failed { id, .. } = event {
            self.on_answer(*id);
        }
        self.tell(event).await
    }

    fn on_answer(&mut self, id: u64) {
        if let Some(times) = self.unanswered.get_mut(&id) {
            *times -= 1;
            if *times == 0 {
                self.unanswered.remove(&id);
            }
        }
        if self.barrier == Some(id) {
            self.barrier = None;
        }
    }

    async fn tell(&mut self, event: &Event) -> Result<(), NoOutput> {
        let mut line = serde_json::to_vec(event).map_err(|_| NoOutput)?;
        line.push(b'\n');
        let out = &mut self.out;
        let written = async {
            out.write_all(&line).await?;
            out.flush().await
        };
        tokio::select! {
            written = written => written.map_err(|_| NoOutput),
            () = signalled(&mut self.ending) => Err(NoOutput),
        }
    }
}

async fn read(lines: &mut Option<mpsc::Receiver<Line>>) -> Option<Line> {
    match lines {
        Some(lines) => lines.recv().await,
        None => None,
    }
}

/// Whether commands behind this one are meant for what it leads to.
fn changes_phase(command: &Command) -> bool {
    matches!(
        command,
        Command::Create { .. }
            | Command::Unlock { .. }
            | Command::Lock
            | Command::Import { .. }
            | Command::Erase
    )
}
