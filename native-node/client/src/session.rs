//! A running account with the relays of the command line, as every front of it sees it: requests go
//! in, events come out.
//!
//! Invariant: what is asked and answered about the relays of the command line stays in here; only
//! what went wrong with one of them is told, and that commands are taken from now on or no more.

use crate::args::NetworkArgs;
use crate::relays::{Next, OWN_IDS, Relays};
use crate::start;
use account::api::{Command, Event, Phase, Request};
use account::node::Account;
use native_node::driver::Driven;
use native_node::process;
use std::path::Path;
use tokio::sync::{mpsc, watch};

/// Said when the account ended by itself.
pub const FAULT: &str = "The account ended because of a fault of its own. What was saved is safe. \
    Start it again; if that does not help, set WIREMIN_LOG=debug to see why.";

/// What comes from a session.
pub enum Told {
    Event(Box<Event>),
    /// No event, but [`Session::takes_commands`] says something else than before.
    Turn,
    /// The account ended by itself.
    Fault,
    /// A signal came.
    AskedToEnd,
}

pub struct Session {
    driven: Driven<Account>,
    requests: mpsc::UnboundedSender<Request>,
    relays: Relays,
    /// The store was read: commands are understood.
    ready: bool,
    open: bool,
    ending: watch::Receiver<bool>,
}

impl Session {
    /// Opens the account of a directory, or says why it cannot.
    pub fn start(data: &Path, args: NetworkArgs) -> Result<Self, String> {
        let driven = start::account(data, &args)?;
        let (requests, queue) = mpsc::unbounded_channel();
        tokio::spawn(hand_in(queue, driven.commands.clone()));
        let (end, ending) = watch::channel(false);
        tokio::spawn(async move {
            process::asked_to_end().await;
            end.send_replace(true);
            // The sender stays until the runtime ends, so that `wait_for` never fails before.
            std::future::pending::<()>().await;
        });
        Ok(Self {
            driven,
            requests,
            relays: Relays::new(args.relays),
            ready: false,
            open: false,
            ending,
        })
    }

    /// Whether commands are understood, and all relays of the command line were asked for.
    pub fn takes_commands(&self) -> bool {
        self.ready && (!self.open || self.relays.settled())
    }

    /// Becomes true when a signal came.
    pub fn ending(&self) -> watch::Receiver<bool> {
        self.ending.clone()
    }

    /// Never waits. How many are under way is for the caller to bound; ids stay below [`OWN_IDS`].
    pub fn request(&self, request: Request) {
        if let Command::LinkNew { relays, .. } = &request.command
            && relays.is_empty()
        {
            return self.request_with_relays(request);
        }
        // The other end is gone only when the node is, which `next` notices.
        let _ = self.requests.send(request);
    }

    /// A new device meets the other one at the relays of the command line, if it names none.
    fn request_with_relays(&self, mut request: Request) {
        let (hints, requests) = (self.relays.hints(), self.requests.clone());
        tokio::spawn(async move {
            let hints = hints.await;
            if let Command::LinkNew { relays, .. } = &mut request.command {
                *relays = hints;
            }
            let _ = requests.send(request);
        });
    }

    /// What is told next. Dropping the future loses nothing.
    ///
    /// Who waits here has decided before what else to wait for, so this comes back whenever
    /// [`Self::takes_commands`] changes, be it by an answer that nobody else sees.
    pub async fn next(&mut self) -> Told {
        loop {
            let took_commands = self.takes_commands();
            let told = tokio::select! {
                event = self.driven.events.recv() => match event {
                    Some(event) => self.on_event(event),
                    None => return Told::Fault,
                },
                Some(found) = self.relays.found.recv() => match self.relays.on_found(found) {
                    Some(Next::Give(request)) => {
                        self.request(request);
                        None
                    }
                    Some(Next::Tell(event)) => Some(event),
                    None => None,
                },
                () = signalled(&mut self.ending) => return Told::AskedToEnd,
            };
            if let Some(event) = told {
                return Told::Event(event);
            }
            if self.takes_commands() != took_commands {
                return Told::Turn;
            }
        }
    }

    fn on_event(&mut self, event: Event) -> Option<Box<Event>> {
        match &event {
            Event::Done { id, .. } if *id >= OWN_IDS => {
                self.relays.on_answer(*id, None);
                return None;
            }
            Event::Failed { id, error } if *id >= OWN_IDS => {
                let told = self.relays.on_answer(*id, Some(error.clone()));
                return told.map(Box::new);
            }
            Event::Phase { phase } => self.on_phase(phase),
            // The store cannot be used: commands are answered by why.
            Event::Trouble { .. } => self.ready = true,
            _ => {}
        }
        Some(Box::new(event))
    }

    fn on_phase(&mut self, phase: &Phase) {
        self.ready = *phase != Phase::Starting;
        let open = *phase == Phase::Open;
        if open && !self.open {
            for request in self.relays.on_open() {
                self.request(request);
            }
        } else if !open {
            self.relays.on_closed();
        }
        self.open = open;
    }

    /// Ends in good order; what was saved is on the disk then.
    pub async fn stop(self) {
        process::end(self.driven.stop()).await;
    }
}

/// Comes back when a signal has come.
pub async fn signalled(ending: &mut watch::Receiver<bool>) {
    // The sender stays as long as the runtime.
    let _ = ending.wait_for(|ending| *ending).await;
}

/// Hands requests to the node, so that a node that waits for its events to be taken and a front
/// that waits for its requests to be taken never wait for each other.
async fn hand_in(mut queue: mpsc::UnboundedReceiver<Request>, commands: mpsc::Sender<Request>) {
    while let Some(request) = queue.recv().await {
        if commands.send(request).await.is_err() {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]

    use super::*;
    use crate::args::RelayArg;
    use native_node::scratch::Scratch;
    use shared::wire::RelayHint;
    use std::time::Duration;

    fn relay(host: u8) -> RelayArg {
        let hint = RelayHint {
            address: [127, 0, 0, host].into(),
            port: 1,
            certificate: [1; 32],
            node_key: [2; 32],
        };
        RelayArg::Hint(hint.to_text())
    }

    /// A session whose own account is not heard, and who speaks in its place.
    fn session(data: &Path, relays: Vec<RelayArg>) -> (Session, mpsc::Sender<Event>) {
        let network = "main".to_owned();
        let mut session = Session::start(data, NetworkArgs { relays, network }).unwrap();
        let (account, events) = mpsc::channel(16);
        session.driven.events = events;
        (session, account)
    }

    async fn told(session: &mut Session) -> Told {
        let next = tokio::time::timeout(Duration::from_secs(10), session.next());
        next.await.expect("it waits for something that has come")
    }

    /// The order of events when a relay of the command line was known before: its link is open, and
    /// what waited there is told, before its page has answered and `AddRelay` is done.
    #[tokio::test]
    async fn the_last_relays_answer_is_the_turn_of_commands() {
        let dir = Scratch::new("session").unwrap();
        let (mut session, account) = session(dir.path(), vec![relay(1), relay(2)]);
        let done = |id| Event::Done { id, answer: None };
        let phase = |phase| Event::Phase { phase };
        for event in [phase(Phase::Starting), phase(Phase::Open), done(1)] {
            account.send(event).await.unwrap();
            assert!(matches!(told(&mut session).await, Told::Event(_)));
            assert!(!session.takes_commands());
        }
        account.send(done(OWN_IDS)).await.unwrap();
        account.send(done(OWN_IDS + 1)).await.unwrap();
        // Nothing comes after them.
        assert!(matches!(told(&mut session).await, Told::Turn));
        assert!(session.takes_commands());
        drop(account);
        session.stop().await;
    }
}
