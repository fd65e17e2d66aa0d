//! `wiremin chat`: an account for people, in a terminal.
//!
//! ```text
//! front     lines in and texts out, in a terminal or not   tty   whether what is typed shows
//! open      make, restore or unlock the account            typed what a line asks for
//! commands  carry it out                                   book  what the account has told
//! text      sentences                                      numbered  numbers for people
//! ```
//!
//! Invariant: events are taken whenever the chat waits, for a person or for the account.

mod book;
mod commands;
mod front;
mod numbered;
mod open;
mod text;
mod tty;
mod typed;

use crate::args::ChatArgs;
use crate::session::{FAULT, Session, Told};
use account::api::{Answer, Command, Event, Phase, Problem, Request};
use account::passcode::{PasscodeError, check_passcode};
use book::Book;
use front::{Answered, Front};
use native_node::process;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use typed::typed;

/// Longest passcode file; a passcode has 1,024 bytes at most.
const PASSCODE_FILE_MAX: u64 = 4_096;

/// Why a chat ends.
#[derive(Debug)]
enum Leave {
    /// As the person wished.
    Quit,
    /// Before the account was open.
    Early,
    /// What went wrong was said.
    Failed,
    /// The account ended by itself.
    Fault,
    /// A signal came.
    Asked,
}

/// Why a command went no further.
enum Stop {
    Failed(Problem),
    Leave(Leave),
}

impl From<Leave> for Stop {
    fn from(leave: Leave) -> Self {
        Self::Leave(leave)
    }
}

struct Chat {
    session: Session,
    front: Front,
    book: Book,
    phase: Option<Phase>,
    last_id: u64,
    /// Of the command that is waited for.
    answer: Option<Result<Option<Answer>, Problem>>,
    /// The invitation that was looked at last.
    opened: Option<String>,
    /// From a file.
    passcode: Option<String>,
    remember: bool,
    /// Where the account is kept, for people.
    place: String,
    /// Addresses of relays' pages.
    pages: Vec<String>,
}

/// Runs until the person leaves, the input ends, or a signal comes.
pub async fn run(args: ChatArgs) -> ExitCode {
    match start(args) {
        Ok(chat) => chat.serve().await,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn start(args: ChatArgs) -> Result<Chat, String> {
    let data = args.data.or_else(|| process::data_dir("chat"));
    let data: PathBuf = data.ok_or(
        "There is no home directory to keep the account in. Nothing was changed. Name a directory \
         with --data.",
    )?;
    let passcode = args.passcode_file.as_deref().map(read_passcode);
    let pages = Chat::pages(&args.network.relays);
    Ok(Chat {
        passcode: passcode.transpose()?,
        session: Session::start(&data, args.network)?,
        front: Front::open()?,
        book: Book::default(),
        phase: None,
        last_id: 0,
        answer: None,
        opened: None,
        remember: args.remember,
        place: data.display().to_string(),
        pages,
    })
}

fn read_passcode(path: &Path) -> Result<String, String> {
    use std::io::Read;
    let mut text = String::new();
    let read = std::fs::File::open(path)
        .and_then(|file| file.take(PASSCODE_FILE_MAX).read_to_string(&mut text));
    let unusable = |why: &str| {
        format!(
            "The passcode file {} cannot be used ({why}). Nothing was changed. Put the passcode \
             into its first line.",
            path.display()
        )
    };
    read.map_err(|error| unusable(&error.to_string()))?;
    let line = text.lines().next().unwrap_or_default();
    match check_passcode(line) {
        Ok(()) => Ok(line.to_owned()),
        Err(PasscodeError::TooShort) => Err(unusable("it needs at least 8 characters")),
        Err(PasscodeError::TooLong) => Err(unusable("it has more than 1,024 bytes")),
    }
}

impl Chat {
    async fn serve(mut self) -> ExitCode {
        let leave = match self.open().await {
            Ok(()) => self.talk().await,
            Err(leave) => leave,
        };
        self.leave(leave).await
    }

    async fn leave(self, leave: Leave) -> ExitCode {
        let code = match leave {
            Leave::Quit | Leave::Asked => ExitCode::SUCCESS,
            Leave::Early => {
                self.front
                    .say("* The account was not opened. Nothing was changed.");
                ExitCode::FAILURE
            }
            Leave::Failed => ExitCode::FAILURE,
            Leave::Fault => {
                self.front.say(&format!("* {FAULT}"));
                ExitCode::FAILURE
            }
        };
        let unsent = self.book.unsent();
        if unsent > 0 {
            self.front.say(&format!(
                "* {} not on a relay yet. Kept on this device, and sent the next time that you \
                 start it.",
                match unsent {
                    1 => "1 message is".to_owned(),
                    several => format!("{several} messages are"),
                }
            ));
        }
        self.session.stop().await;
        self.front.close().await;
        code
    }

    /// The account is open.
    async fn talk(&mut self) -> Leave {
        match self.begin_talk().await {
            Err(Stop::Leave(leave)) => return leave,
            Err(Stop::Failed(problem)) => self.front.say(&text::problem(&problem)),
            Ok(()) => {}
        }
        let mut interrupted = false;
        loop {
            let prompt = match &self.book.current {
                Some(contact) => format!("{}> ", self.book.label(contact)),
                None => "> ".to_owned(),
            };
            let line = match self.line(&prompt, false).await {
                Ok(Answered::Line(line)) => line,
                Ok(Answered::Interrupted) if !interrupted => {
                    interrupted = true;
                    self.front.say("* Ctrl-C once more, or /quit, leaves.");
                    continue;
                }
                Ok(Answered::End | Answered::Interrupted) => return Leave::Quit,
                Err(leave) => return leave,
            };
            interrupted = false;
            match self.carry_out(typed(&line)).await {
                Err(Stop::Leave(leave)) => return leave,
                Err(Stop::Failed(problem)) => self.front.say(&text::problem(&problem)),
                Ok(()) => {}
            }
        }
    }

    async fn begin_talk(&mut self) -> Result<(), Stop> {
        self.ask(Command::Snapshot).await?;
        self.show_unread().await?;
        self.book.live = true;
        self.book.current = self.book.latest();
        let said = format!("* You are {}. /help lists the commands.", self.book.name);
        self.front.say(&said);
        self.front.say(&self.book.relays_line());
        match self.book.greetings.iter().count() {
            0 => {}
            1 => self.front.say("* 1 person wants to talk: /greetings"),
            several => self
                .front
                .say(&format!("* {several} people want to talk: /greetings")),
        }
        Ok(())
    }

    /// One thing that happens.
    async fn pump(&mut self) -> Result<(), Leave> {
        match self.session.next().await {
            Told::Event(event) => self.on_event(*event),
            Told::Turn => Ok(()),
            Told::Fault => Err(Leave::Fault),
            Told::AskedToEnd => Err(Leave::Asked),
        }
    }

    fn on_event(&mut self, event: Event) -> Result<(), Leave> {
        match event {
            Event::Done { id, answer } if id == self.last_id => self.answer = Some(Ok(answer)),
            Event::Failed { id, error } if id == self.last_id => self.answer = Some(Err(error)),
            Event::Phase { phase } => self.phase = Some(phase),
            event => {
                let unusable = matches!(event, Event::Trouble { .. })
                    && matches!(self.phase, None | Some(Phase::Starting));
                let theirs = match &event {
                    Event::Message { message } if !message.mine => Some(message.contact.clone()),
                    _ => None,
                };
                if let Some(said) = self.book.on_event(event) {
                    self.front.say(&said);
                    if let Some(contact) = theirs {
                        self.mark_read(contact);
                    }
                }
                if unusable {
                    return Err(Leave::Failed);
                }
            }
        }
        Ok(())
    }

    /// Asks the account for something, and waits for the answer.
    async fn ask(&mut self, command: Command) -> Result<Option<Answer>, Stop> {
        while !self.session.takes_commands() {
            self.pump().await?;
        }
        self.last_id += 2;
        let id = self.last_id;
        self.answer = None;
        self.session.request(Request { id, command });
        loop {
            self.pump().await?;
            if let Some(answer) = self.answer.take() {
                return answer.map_err(Stop::Failed);
            }
        }
    }

    /// The person has seen it. Nobody waits for that; its number is one that `ask` does not use.
    fn mark_read(&self, contact: String) {
        let command = Command::MarkRead { contact };
        self.session.request(Request { id: 1, command });
    }

    /// A line from the person, and what happens meanwhile.
    async fn line(&mut self, prompt: &str, hidden: bool) -> Result<Answered, Leave> {
        self.front.want(prompt, hidden);
        loop {
            let told = tokio::select! {
                answered = self.front.answered() => return Ok(answered),
                told = self.session.next() => told,
            };
            match told {
                Told::Event(event) => self.on_event(*event)?,
                Told::Turn => {}
                Told::Fault => return Err(Leave::Fault),
                Told::AskedToEnd => return Err(Leave::Asked),
            }
        }
    }
}
