//! `wiremin bot`: an account in a process, one command a line in, one event a line out. BOT.md
//! says how to use it.
//!
//! Invariant: every line that is not blank is answered by exactly one `done` or `failed`, and no
//! input ends the process before its end.

mod parse;
mod relays;

use crate::args::BotArgs;
use crate::lines::{self, Line};
use account::api::{Command, Event, Phase, Request};
use account::node::{Account, Config};
use native_node::driver::{Base, Driven, Parts};
use native_node::quic::{QuicConfig, QuicPort};
use native_node::rtc::{CertificateFile, RtcDialer};
use native_node::{files, process};
use relays::{Next, OWN_IDS, Relays};
use shared::io::KdfCost;
use shared::object::network_id;
use std::collections::BTreeMap;
use std::process::ExitCode;
use std::time::Duration;
use tokio::io::AsyncWriteExt;
use tokio::sync::{mpsc, watch};

/// Time for one dial of a relay.
const DIAL_TIMEOUT: Duration = Duration::from_secs(10);
/// Bytes waiting to be sent on one link.
const SEND_BYTES_MAX: usize = 4 << 20;
/// Relays named on the command line.
const RELAYS_MAX: usize = 8;
/// Commands that wait for their answer; more lines are read when there are fewer.
const UNANSWERED_MAX: usize = 64;
/// How long commands may take to be answered after the end of the input.
const ANSWERS_AFTER_END: Duration = Duration::from_secs(60);
/// How long the last line may take to be read.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(1);
/// Said when the account ended by itself.
const FAULT: &str = "The account ended because of a fault of its own. What was saved is safe. \
    Start it again; if that does not help, set WIREMIN_LOG=debug to see why.";

/// Argon2id for the driver, which knows no accounts.
fn derive(secret: &[u8], salt: &[u8; 16], cost: &KdfCost) -> Option<[u8; 32]> {
    let key = account::passcode::argon2id(secret, salt, cost).ok()?;
    Some(*key.as_bytes())
}

fn start(args: &BotArgs) -> Result<Driven<Account>, String> {
    if args.relays.len() > RELAYS_MAX {
        return Err("More than 8 relays were given. Nothing was changed. Name fewer.".into());
    }
    files::make_dir(&args.data).map_err(|error| {
        format!(
            "The data directory {} cannot be made ({error}). Nothing was changed. Choose another \
             with --data, or mend its permissions.",
            args.data.display()
        )
    })?;
    let base = Base::open(&args.data).map_err(|error| error.to_string())?;
    let certificate = CertificateFile::generate().map_err(|error| error.to_string())?;
    let quic = QuicPort::dialling(QuicConfig::new(certificate));
    let parts = Parts {
        data: args.data.clone(),
        port: None,
        dialer: Some(RtcDialer::new(DIAL_TIMEOUT, SEND_BYTES_MAX)),
        quic: Some(quic.map_err(|error| error.to_string())?),
        derive: Some(derive),
    };
    let config = Config {
        network: network_id(&args.network),
        work_divisor: 1,
    };
    base.drive(parts, |seed, now| Account::new(config, seed, now), None)
        .map_err(|error| error.to_string())
}

/// Runs until the end of the input, or a signal.
pub async fn run(args: BotArgs) -> ExitCode {
    let started = start(&args).and_then(|driven| {
        let lines = lines::read_stdin();
        let lines = lines.map_err(|error| format!("Standard input cannot be read ({error})."))?;
        Ok((driven, lines))
    });
    let (driven, lines) = match started {
        Ok(started) => started,
        Err(error) => {
            eprintln!("{error}");
            return ExitCode::FAILURE;
        }
    };
    let (requests, queue) = mpsc::unbounded_channel();
    tokio::spawn(hand_in(queue, driven.commands.clone()));
    let (end, ending) = watch::channel(false);
    tokio::spawn(async move {
        process::asked_to_end().await;
        end.send_replace(true);
        // The sender stays until the runtime ends, so that `wait_for` never fails before.
        std::future::pending::<()>().await;
    });
    let bot = Bot {
        driven,
        requests,
        lines: Some(lines),
        relays: Relays::new(args.relays),
        ready: false,
        open: false,
        unanswered: BTreeMap::new(),
        barrier: None,
        out: tokio::io::stdout(),
        ending,
    };
    bot.serve().await
}

/// Hands commands to the node, so that a node that waits for its events to be taken and a bot that
/// waits for its commands to be taken never wait for each other. Bounded by `UNANSWERED_MAX`.
async fn hand_in(mut queue: mpsc::UnboundedReceiver<Request>, commands: mpsc::Sender<Request>) {
    while let Some(request) = queue.recv().await {
        if commands.send(request).await.is_err() {
            return;
        }
    }
}

struct Bot {
    driven: Driven<Account>,
    requests: mpsc::UnboundedSender<Request>,
    /// `None` after the end of the input.
    lines: Option<mpsc::Receiver<Line>>,
    relays: Relays,
    /// The store was read: commands are understood.
    ready: bool,
    open: bool,
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
        let mut ending = self.ending.clone();
        let mut code = ExitCode::SUCCESS;
        let patience = tokio::time::sleep(ANSWERS_AFTER_END);
        tokio::pin!(patience);
        loop {
            let takes_lines = self.takes_lines();
            if self.lines.is_none() && self.unanswered.is_empty() {
                break;
            }
            let told = tokio::select! {
                event = self.driven.events.recv() => match event {
                    Some(event) => self.on_event(event).await,
                    None => {
                        eprintln!("{FAULT}");
                        code = ExitCode::FAILURE;
                        break;
                    }
                },
                line = read(&mut self.lines), if takes_lines => {
                    if line.is_none() {
                        self.lines = None;
                        let end = tokio::time::Instant::now() + ANSWERS_AFTER_END;
                        patience.as_mut().reset(end);
                    }
                    self.on_line(line).await
                }
                Some(found) = self.relays.found.recv() => match self.relays.on_found(found) {
                    Some(Next::Give(request)) => self.request(request),
                    Some(Next::Tell(event)) => self.tell(&event).await,
                    None => Ok(()),
                },
                () = &mut patience, if self.lines.is_none() => break,
                _ = ending.wait_for(|ending| *ending) => break,
            };
            if told.is_err() {
                break;
            }
        }
        process::end(self.driven.stop()).await;
        // A reader that is gone has had its reasons.
        let _ = tokio::time::timeout(FLUSH_TIMEOUT, self.out.flush()).await;
        code
    }

    fn takes_lines(&self) -> bool {
        self.lines.is_some()
            && self.ready
            && self.barrier.is_none()
            && (!self.open || self.relays.settled())
            && self.unanswered.len() < UNANSWERED_MAX
    }

    async fn on_line(&mut self, line: Option<Line>) -> Result<(), NoOutput> {
        let Some(line) = line else {
            return Ok(());
        };
        match parse::request(&line) {
            Ok(None) => Ok(()),
            Ok(Some(request)) if request.id >= OWN_IDS => {
                let problem = parse::problem(
                    "id_too_large",
                    "Ids of the last 65,536 numbers are not for scripts.".into(),
                    "Nothing was changed and nothing was sent.",
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
                self.request(request)
            }
            Err(event) => self.tell(&event).await,
        }
    }

    fn request(&mut self, request: Request) -> Result<(), NoOutput> {
        // The other end is gone only when the node is, which `serve` notices.
        let _ = self.requests.send(request);
        Ok(())
    }

    async fn on_event(&mut self, event: Event) -> Result<(), NoOutput> {
        match &event {
            Event::Done { id, .. } if *id >= OWN_IDS => {
                self.relays.on_answer(*id, None);
                return Ok(());
            }
            Event::Failed { id, error } if *id >= OWN_IDS => {
                return match self.relays.on_answer(*id, Some(error.clone())) {
                    Some(event) => self.tell(&event).await,
                    None => Ok(()),
                };
            }
            Event::Done { id, .. } | Event::Failed { id, .. } => self.on_answer(*id),
            Event::Phase { phase } => self.on_phase(phase),
            // The store cannot be used: commands are answered by why.
            Event::Trouble { .. } => self.ready = true,
            _ => {}
        }
        self.tell(&event).await
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

    fn on_phase(&mut self, phase: &Phase) {
        self.ready = *phase != Phase::Starting;
        let open = *phase == Phase::Open;
        if open && !self.open {
            for request in self.relays.on_open() {
                let _ = self.requests.send(request);
            }
        } else if !open {
            self.relays.on_closed();
        }
        self.open = open;
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
            _ = self.ending.wait_for(|ending| *ending) => Err(NoOutput),
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
