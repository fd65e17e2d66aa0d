//! Drives a node: one task owns it, feeds it what happened, and does what it asks.
//!
//! Invariant: outputs are drained after every input and carried out in their order; nothing but
//! this task touches the node. `shared::io` is the contract.

use crate::clock::Clock;
use crate::files;
use crate::links::{Links, Side, Sides};
use crate::quic::QuicPort;
use crate::rtc::{RtcDialer, RtcPort};
use crate::solve::{Solvers, Solving};
use crate::store::{OpenError, Store, StoreAnswer, StoreRequest};
use crate::transport::LinkEvent;
use shared::io::{Finder, Input, KdfCost, Node, Output, Secret, Token};
use shared::time::Now;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, timeout_at};

/// Argon2id with 32 bytes out; `None` when it cannot be computed. Called on a thread of its own.
pub type DeriveFn = fn(secret: &[u8], salt: &[u8; 16], cost: &KdfCost) -> Option<[u8; 32]>;

/// Sees the node now and then, at that time.
pub type Observer<N> = Box<dyn FnMut(Now, &N) + Send>;

/// Name of the database in the data directory.
const STORE_FILE: &str = "store.redb";
/// Name of the file for the remembered key.
const KEY_FILE: &str = "remembered.key";
/// What was found outside, waiting for the node.
const OUTSIDE_MAX: usize = 64;
/// Events waiting to be taken.
const EVENTS_MAX: usize = 256;
/// Commands waiting for the node.
const COMMANDS_MAX: usize = 16;
/// Inputs taken from one queue before the others have their turn.
const TURN: usize = 64;
/// How often an observer sees the node.
const OBSERVE_EVERY: Duration = Duration::from_millis(200);
/// How long an ending node may take to finish what its store and its key derivation are doing.
const FINISH_MAX: Duration = Duration::from_secs(20);
/// How long links may take to say good-bye.
const PART_MAX: Duration = Duration::from_secs(1);

/// What a node is driven with.
pub struct Parts {
    /// Exists; see [`files::make_dir`].
    pub data: PathBuf,
    pub port: Option<(Arc<RtcPort>, mpsc::Receiver<LinkEvent>)>,
    pub dialer: Option<(RtcDialer, mpsc::Receiver<LinkEvent>)>,
    pub quic: Option<(QuicPort, mpsc::Receiver<LinkEvent>)>,
    pub derive: Option<DeriveFn>,
}

/// What is learnt of the world outside, for the node. See [`crate::find`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outside {
    /// [`Input::Reachable`].
    Reachable(Vec<SocketAddr>),
    /// [`Input::Found`].
    Found { address: SocketAddr, by: Finder },
}

/// A driven node, from outside. Dropping it stops the node without waiting.
pub struct Driven<N: Node> {
    pub commands: mpsc::Sender<N::Command>,
    pub events: mpsc::Receiver<N::Event>,
    pub outside: mpsc::Sender<Outside>,
    stop: oneshot::Sender<()>,
    task: tokio::task::JoinHandle<()>,
}

impl<N: Node> Driven<N> {
    /// Closes the links, lets the store and key derivations finish, and ends. What is still told
    /// meanwhile is left out.
    pub async fn stop(self) {
        let Driven {
            mut events,
            stop,
            task,
            commands,
            outside,
        } = self;
        drop((commands, outside));
        let _ = stop.send(());
        while events.recv().await.is_some() {}
        // It ended by itself, or by a panic that was reported.
        let _ = task.await;
    }
}

/// Results of work done elsewhere.
enum Done {
    Store(StoreAnswer),
    Solving(Solving),
    Derived(Token, Option<[u8; 32]>),
}

/// Why a node cannot be driven.
#[derive(Debug)]
pub enum StartError {
    Store(OpenError),
    /// The system refuses a thread or random bytes.
    System(std::io::Error),
}

impl std::fmt::Display for StartError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Store(error) => write!(f, "{error}"),
            Self::System(cause) => write!(
                f,
                "The system refuses a thread or random bytes ({cause}). Nothing was changed. \
                 Close other programs and start again."
            ),
        }
    }
}

impl std::error::Error for StartError {}

/// A store that is open and a worker that runs: all that can fail before there is a node.
pub struct Base {
    store: Store,
    solvers: Solvers,
    done: mpsc::UnboundedReceiver<Done>,
    tell: mpsc::UnboundedSender<Done>,
}

impl Base {
    /// Opens the store below `data`, which another process must not use.
    pub fn open(data: &Path) -> Result<Self, StartError> {
        // Bounded by what the node has under way: it is told of each result once.
        let (tell, done) = mpsc::unbounded_channel();
        let (stored, solved) = (tell.clone(), tell.clone());
        // Nobody listens when the node is gone.
        let store = Store::open(&data.join(STORE_FILE), move |answer| {
            let _ = stored.send(Done::Store(answer));
        })
        .map_err(StartError::Store)?;
        let solvers = Solvers::start(move |solving| {
            let _ = solved.send(Done::Solving(solving));
        })
        .map_err(StartError::System)?;
        Ok(Self {
            store,
            solvers,
            done,
            tell,
        })
    }

    /// Makes the node with a fresh seed and drives it in a task. `observe` sees it now and then.
    pub fn drive<N>(
        self,
        parts: Parts,
        make: impl FnOnce([u8; 32], Now) -> N,
        observe: Option<Observer<N>>,
    ) -> Result<Driven<N>, StartError>
    where
        N: Node + Send + 'static,
        N::Command: Send,
        N::Event: Send,
    {
        let clock = Clock::start();
        let (seed, origin_key) = (random()?, random()?);
        let node = make(seed, clock.now());
        let (commands, command_queue) = mpsc::channel(COMMANDS_MAX);
        let (outside, outside_queue) = mpsc::channel(OUTSIDE_MAX);
        let (event_sender, events) = mpsc::channel(EVENTS_MAX);
        let (stop, stopped) = oneshot::channel();
        let (port, port_events) = parts.port.unzip();
        let (dialer, dialer_events) = parts.dialer.unzip();
        let (quic, quic_events) = parts.quic.unzip();
        let sides = Sides { quic, port, dialer };
        let driver = Driver {
            node,
            clock,
            links: Links::new(sides, origin_key),
            store: self.store,
            solvers: self.solvers,
            tell: self.tell,
            derive: parts.derive,
            key_file: parts.data.join(KEY_FILE),
            unfinished: 0,
            events: event_sender,
            wake: Instant::now(),
        };
        let queues = Queues {
            port: port_events,
            dialer: dialer_events,
            quic: quic_events,
            done: self.done,
            commands: Some(command_queue),
            outside: Some(outside_queue),
        };
        let task = tokio::spawn(driver.run(queues, observe, stopped));
        Ok(Driven {
            commands,
            events,
            outside,
            stop,
            task,
        })
    }
}

fn random() -> Result<[u8; 32], StartError> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes)
        .map_err(|error| StartError::System(std::io::Error::other(error)))?;
    Ok(bytes)
}

struct Queues<C> {
    port: Option<mpsc::Receiver<LinkEvent>>,
    dialer: Option<mpsc::Receiver<LinkEvent>>,
    quic: Option<mpsc::Receiver<LinkEvent>>,
    done: mpsc::UnboundedReceiver<Done>,
    commands: Option<mpsc::Receiver<C>>,
    outside: Option<mpsc::Receiver<Outside>>,
}

/// One step's worth of what happened.
enum Happened<C> {
    Link(Side, LinkEvent),
    Done(Done),
    Command(C),
    Outside(Outside),
    Wake,
    Observe,
    Stop,
}

struct Driver<N: Node> {
    node: N,
    clock: Clock,
    links: Links,
    store: Store,
    solvers: Solvers,
    tell: mpsc::UnboundedSender<Done>,
    derive: Option<DeriveFn>,
    key_file: PathBuf,
    /// Store requests and derivations under way.
    unfinished: usize,
    events: mpsc::Sender<N::Event>,
    wake: Instant,
}

/// The next item; never, when there is no such queue or it has ended.
async fn next<T>(queue: &mut Option<mpsc::Receiver<T>>) -> T {
    if let Some(receiver) = queue {
        if let Some(item) = receiver.recv().await {
            return item;
        }
        *queue = None;
    }
    std::future::pending().await
}

impl<N: Node> Driver<N> {
    async fn run(
        mut self,
        mut queues: Queues<N::Command>,
        mut observe: Option<Observer<N>>,
        mut stopped: oneshot::Receiver<()>,
    ) {
        let mut ticks = tokio::time::interval(OBSERVE_EVERY);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        self.drain().await;
        loop {
            let wake = self.wake;
            let happened = tokio::select! {
                event = next(&mut queues.port) => Happened::Link(Side::Port, event),
                event = next(&mut queues.dialer) => Happened::Link(Side::Dialer, event),
                event = next(&mut queues.quic) => Happened::Link(Side::Quic, event),
                Some(done) = queues.done.recv() => Happened::Done(done),
                command = next(&mut queues.commands) => Happened::Command(command),
                outside = next(&mut queues.outside) => Happened::Outside(outside),
                () = tokio::time::sleep_until(wake) => Happened::Wake,
                _ = ticks.tick(), if observe.is_some() => Happened::Observe,
                _ = &mut stopped => Happened::Stop,
            };
            match happened {
                Happened::Link(side, event) => {
                    self.on_link(side, &event).await;
                    let queue = match side {
                        Side::Port => &mut queues.port,
                        Side::Dialer => &mut queues.dialer,
                        Side::Quic => &mut queues.quic,
                    };
                    for _ in 1..TURN {
                        match queue.as_mut().map(mpsc::Receiver::try_recv) {
                            Some(Ok(event)) => self.on_link(side, &event).await,
                            _ => break,
                        }
                    }
                }
                Happened::Done(done) => self.on_done(done).await,
                Happened::Command(command) => self.input(Input::Command(command)).await,
                Happened::Outside(outside) => self.on_outside(outside).await,
                Happened::Wake => self.input(Input::Wake).await,
                Happened::Observe => {
                    if let Some(observe) = &mut observe {
                        observe(self.clock.now(), &self.node);
                    }
                }
                Happened::Stop => break,
            }
        }
        self.finish(queues).await;
    }

    async fn input(&mut self, input: Input<'_, N::Command>) {
        self.node.handle_input(self.clock.now(), input);
        self.drain().await;
    }

    async fn on_link(&mut self, side: Side, event: &LinkEvent) {
        if let Some(input) = self.links.input(side, event) {
            self.input(input).await;
        }
    }

    async fn on_outside(&mut self, outside: Outside) {
        let input = match outside {
            Outside::Reachable(addresses) => Input::Reachable { addresses },
            Outside::Found { address, by } => Input::Found { address, by },
        };
        self.input(input).await;
    }

    async fn on_done(&mut self, done: Done) {
        let input = match done {
            Done::Solving(Solving::Progress { token, hashes }) => Input::Solving { token, hashes },
            Done::Solving(Solving::Solved { token, nonce }) => Input::Solved { token, nonce },
            Done::Store(answer) => {
                self.unfinished = self.unfinished.saturating_sub(1);
                match answer {
                    StoreAnswer::Loaded { token, rows } => Input::Loaded { token, rows },
                    StoreAnswer::Saved { token } => Input::Saved { token },
                    StoreAnswer::Failed { token, error } => Input::StoreFailed { token, error },
                }
            }
            Done::Derived(token, key) => {
                self.unfinished = self.unfinished.saturating_sub(1);
                match key {
                    Some(key) => Input::Derived { token, key },
                    None => Input::DeriveFailed { token },
                }
            }
        };
        self.input(input).await;
    }

    /// Carries out everything the node wants.
    async fn drain(&mut self) {
        loop {
            let input = match self.node.poll_output() {
                Output::WaitUntil(mono) => {
                    self.wake = self.clock.instant(mono).into();
                    return;
                }
                Output::Event(event) => {
                    // Nobody listens when the program is ending.
                    let _ = self.events.send(event).await;
                    None
                }
                output => self.carry_out(output),
            };
            if let Some(input) = input {
                self.node.handle_input(self.clock.now(), input);
            }
        }
    }

    fn carry_out(&mut self, output: Output<N::Event>) -> Option<Input<'static, N::Command>> {
        match output {
            Output::Send { link, bytes } => return self.links.send(link, bytes),
            Output::Close { link } => self.links.close(link),
            Output::Dial { token, to } => return self.links.dial(token, &to),
            Output::Prepare { token, link } => {
                // Over QUIC all is dialled from one socket, the relay that leads there too.
                let ports = match self.links.is_quic(link) {
                    true => vec![0],
                    false => Vec::new(),
                };
                return Some(Input::Prepared { token, ports });
            }
            Output::Locate { token, links } => {
                let addresses = self.links.locate(links);
                return Some(Input::Located { token, addresses });
            }
            Output::Knock { to } => self.links.knock(&to),
            Output::Load { token, query } => self.ask_store(StoreRequest::Load { token, query }),
            Output::Save { token, batch } => self.ask_store(StoreRequest::Save { token, batch }),
            Output::Erase { token } => {
                self.forget();
                self.ask_store(StoreRequest::Erase { token });
            }
            Output::Solve {
                token,
                prefix,
                target,
                expected,
            } => self.solvers.solve(token, prefix, target, expected),
            Output::CancelSolve { token } => self.solvers.cancel(token),
            Output::Derive {
                token,
                secret,
                salt,
                cost,
            } => self.start_derive(token, secret, salt, cost),
            Output::Remember { key } => {
                if let Err(error) = files::write(&self.key_file, &key) {
                    tracing::warn!(%error, "the passcode is not remembered: no key file");
                }
            }
            Output::Recall { token } => {
                let key = self.recall();
                return Some(Input::Recalled { token, key });
            }
            Output::Forget => self.forget(),
            // `drain` has taken these.
            Output::Event(_) | Output::WaitUntil(_) => {}
        }
        None
    }

    fn ask_store(&mut self, request: StoreRequest) {
        self.unfinished += 1;
        self.store.request(request);
    }

    fn start_derive(&mut self, token: Token, secret: Secret, salt: [u8; 16], cost: KdfCost) {
        self.unfinished += 1;
        let (derive, tell) = (self.derive, self.tell.clone());
        tokio::task::spawn_blocking(move || {
            let key = derive.and_then(|derive| derive(&secret.0, &salt, &cost));
            let _ = tell.send(Done::Derived(token, key));
        });
    }

    fn recall(&self) -> Option<[u8; 32]> {
        match files::read(&self.key_file) {
            Ok(bytes) => bytes?.try_into().ok(),
            Err(error) => {
                tracing::warn!(%error, "the remembered key cannot be read");
                None
            }
        }
    }

    fn forget(&self) {
        if let Err(error) = files::destroy(&self.key_file) {
            tracing::error!(%error, "the remembered key could not be destroyed");
        }
    }

    /// Closes the links, so that nobody is left who asks for something, and lets the store finish.
    async fn finish(mut self, mut queues: Queues<N::Command>) {
        for link in self.links.close_all() {
            self.input(Input::LinkDown { link }).await;
        }
        let deadline = Instant::now() + FINISH_MAX;
        while self.unfinished > 0 {
            match timeout_at(deadline, queues.done.recv()).await {
                Ok(Some(done)) => self.on_done(done).await,
                _ => break,
            }
        }
        let deadline = Instant::now() + PART_MAX;
        while !self.links.is_empty() {
            let event = async {
                tokio::select! {
                    event = next(&mut queues.port) => (Side::Port, event),
                    event = next(&mut queues.dialer) => (Side::Dialer, event),
                    event = next(&mut queues.quic) => (Side::Quic, event),
                }
            };
            match timeout_at(deadline, event).await {
                // Only counted: the node believes them gone.
                Ok((side, event)) => drop(self.links.input::<N::Command>(side, &event)),
                Err(_) => break,
            }
        }
        // Dropping the store waits for what it was asked before.
    }
}

#[cfg(test)]
mod tests;
