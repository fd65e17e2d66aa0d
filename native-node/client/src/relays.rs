//! The relays of the command line: added whenever the account becomes open.

use crate::args::RelayArg;
use crate::fetch;
use crate::problem::problem;
use account::api::{Command, Event, Problem, Request};
use std::collections::BTreeSet;
use std::time::Duration;
use tokio::sync::mpsc;

/// Commands of our own have ids from here on; others keep below.
pub const OWN_IDS: u64 = u64::MAX - 0xffff;
/// A relay that did not answer is asked again after this.
const AGAIN_AFTER: Duration = Duration::from_secs(3);
/// Answers of relays waiting to be taken.
const FOUND_MAX: usize = 16;

/// What asking for a hint came to.
pub enum Found {
    Hint {
        asked: u64,
        hint: String,
    },
    /// It is asked for again.
    NotYet {
        asked: u64,
        host: String,
        error: fetch::FetchError,
    },
}

/// A command to give, or something to tell.
pub enum Next {
    Give(Request),
    Tell(Box<Event>),
}

/// Which relays are still to be added before other commands have their turn.
pub struct Relays {
    wanted: Vec<RelayArg>,
    next_id: u64,
    /// Relays of which nothing is known yet, by the id their `AddRelay` will have.
    settling: BTreeSet<u64>,
    asking: Vec<tokio::task::JoinHandle<()>>,
    sender: mpsc::Sender<Found>,
    pub found: mpsc::Receiver<Found>,
}

impl Relays {
    pub fn new(wanted: Vec<RelayArg>) -> Self {
        let (sender, found) = mpsc::channel(FOUND_MAX);
        Self {
            wanted,
            next_id: OWN_IDS,
            settling: BTreeSet::new(),
            asking: Vec::new(),
            sender,
            found,
        }
    }

    /// The hints of all, as far as they are found: for a device that has no account yet.
    pub fn hints(&self) -> impl Future<Output = Vec<String>> + use<> {
        let wanted = self.wanted.clone();
        async move {
            let mut hints = Vec::new();
            for relay in wanted {
                match relay {
                    RelayArg::Hint(hint) => hints.push(hint),
                    // One that does not answer is told when there is an account.
                    RelayArg::Host(host) => hints.extend(fetch::hint(&host).await.ok()),
                }
            }
            hints
        }
    }

    /// Whether other commands may be handed in.
    pub fn settled(&self) -> bool {
        self.settling.is_empty()
    }

    /// The account is open: commands to give at once; those of others follow through `found`.
    pub fn on_open(&mut self) -> Vec<Request> {
        self.on_closed();
        let mut requests = Vec::new();
        for relay in &self.wanted {
            let id = self.next_id;
            self.next_id = self.next_id.checked_add(1).unwrap_or(OWN_IDS);
            self.settling.insert(id);
            match relay {
                RelayArg::Hint(hint) => requests.push(add(id, hint.clone())),
                RelayArg::Host(host) => {
                    let ask = ask(id, host.clone(), self.sender.clone());
                    self.asking.push(tokio::spawn(ask));
                }
            }
        }
        requests
    }

    /// It is not open any more.
    pub fn on_closed(&mut self) {
        self.asking.drain(..).for_each(|task| task.abort());
        self.settling.clear();
    }

    /// What a relay's answer leads to.
    pub fn on_found(&mut self, found: Found) -> Option<Next> {
        match found {
            Found::Hint { asked, hint } => Some(Next::Give(add(asked, hint))),
            // Told once; it is asked for again behind the scenes.
            Found::NotYet { asked, host, error } => {
                let first = self.settling.remove(&asked);
                first.then(|| {
                    let problem = no_answer(&host, &error);
                    Next::Tell(Box::new(Event::Trouble { problem }))
                })
            }
        }
    }

    /// An answer to a command of our own; what to tell of it.
    pub fn on_answer(&mut self, id: u64, failed: Option<Problem>) -> Option<Event> {
        self.settling.remove(&id);
        failed.map(|problem| Event::Trouble { problem })
    }
}

fn add(id: u64, hint: String) -> Request {
    Request {
        id,
        command: Command::AddRelay { hint },
    }
}

async fn ask(asked: u64, host: String, found: mpsc::Sender<Found>) {
    loop {
        let (answer, done) = match fetch::hint(&host).await {
            Ok(hint) => (Found::Hint { asked, hint }, true),
            Err(error) => {
                let host = host.clone();
                (Found::NotYet { asked, host, error }, false)
            }
        };
        if found.send(answer).await.is_err() || done {
            return;
        }
        tokio::time::sleep(AGAIN_AFTER).await;
    }
}

fn no_answer(host: &str, error: &fetch::FetchError) -> Problem {
    problem(
        "relay_not_found",
        format!("The relay at http://{host}/ was not found: {error}."),
        "Your messages are kept on this device and sent when a relay is there.",
        "Check the address and that the relay runs. It is tried again by itself.",
    )
}
