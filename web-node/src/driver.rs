//! Drives a node: one task owns it, feeds it what happened, and does what it asks.
//!
//! Invariant: outputs are drained after every input and carried out in their order; nothing but
//! this task touches the node, so nothing can re-enter it: whatever the browser calls is put into
//! the inbox. `shared::io` is the contract.

use account::api::{self, Event, Phase, Problem, Request};
use js_sys::Function;
use shared::io::{Input, LinkId, Node, Output};
use shared::time::Millis;
use tokio::sync::mpsc;
use wasm_bindgen::JsValue;
use zeroize::Zeroizing;

use crate::derive::Derivers;
use crate::disk::{Disk, DiskRequest};
use crate::lock::TabLock;
use crate::pool::{Number, Report};
use crate::rtc::{LinkEvent, Links};
use crate::solve::Solvers;
use crate::timer::Timer;
use crate::{clock, environment, mark};

/// What the node takes as commands.
pub type Command = Request;
/// A node that speaks the vocabulary of the page.
pub type AnyNode = Box<dyn Node<Command = Request, Event = Event>>;

/// Numbers of commands from here on are the shell's own; their answers go no further.
pub const OWN_IDS: u64 = 1 << 52;

/// What happened outside of the node.
pub enum Happened {
    Input(Input<'static, Command>),
    Link(LinkId, LinkEvent),
    Solver(Number, Report),
    /// It is time to start solvers in place of those that died.
    SolversAgain,
    /// Further solvers have had nothing worth them for a while.
    SolversIdle,
    Deriver(Number, Report),
    /// Something that a person should know and the node need not.
    Trouble(Problem),
    /// The page is going, or is put to sleep.
    Leaving,
    /// This tab must not go on.
    Stop(Problem),
}

/// Where everything that happens is put; the driver takes it from there in the same task of the
/// browser, after what is running has ended.
#[derive(Clone)]
pub struct Inbox(mpsc::UnboundedSender<Happened>);

/// The other end of an [`Inbox`].
pub type Happenings = mpsc::UnboundedReceiver<Happened>;

impl Inbox {
    /// Unbounded, but for the browser's own queues: it is emptied before the next event is taken.
    pub fn new() -> (Self, Happenings) {
        let (sender, receiver) = mpsc::unbounded_channel();
        (Self(sender), receiver)
    }

    pub fn put(&self, happened: Happened) {
        // Nobody listens any more in a tab that has stopped.
        let _ = self.0.send(happened);
    }

    /// Whether the driver has stopped.
    pub fn is_closed(&self) -> bool {
        self.0.is_closed()
    }
}

/// What a node is driven with.
pub struct Parts {
    pub links: Links,
    pub disk: Disk,
    pub solvers: Solvers,
    pub derivers: Derivers,
    /// Given back when the tab stops.
    pub _lock: TabLock,
    /// Called with a JSON array of events.
    pub on_events: Function,
    /// Relays that the page knows of, base64url.
    pub hints: Vec<String>,
}

/// The node and all it is driven with.
pub struct Driver {
    node: AnyNode,
    parts: Parts,
    inbox: Inbox,
    timer: Timer,
    timer_at: Option<Millis>,
    /// When the node wants to be woken.
    wake_at: Millis,
    events: Vec<Event>,
    next_own: u64,
}

impl Driver {
    pub fn new(node: AnyNode, parts: Parts, inbox: Inbox) -> Self {
        let wake = inbox.clone();
        Self {
            node,
            parts,
            inbox,
            timer: Timer::new(move || wake.put(Happened::Input(Input::Wake))),
            timer_at: None,
            wake_at: Millis::MAX,
            events: Vec::new(),
            next_own: OWN_IDS,
        }
    }

    /// Until the tab has to stop.
    pub async fn run(mut self, mut happenings: Happenings) {
        self.drain();
        self.end_turn();
        while let Some(first) = happenings.recv().await {
            let mut next = Some(first);
            // What came together is told together.
            while let Some(happened) = next {
                if let Happened::Stop(problem) = happened {
                    self.stop(problem);
                    return;
                }
                self.on(happened);
                next = happenings.try_recv().ok();
            }
            self.end_turn();
        }
    }

    fn on(&mut self, happened: Happened) {
        let input = match happened {
            Happened::Input(input) => Some(input),
            Happened::Link(link, LinkEvent::Message(bytes)) => {
                if self.parts.links.is_up(link) {
                    let bytes = &bytes;
                    self.input(Input::LinkMessage { link, bytes });
                }
                None
            }
            Happened::Link(link, event) => self.parts.links.on(link, event),
            Happened::Solver(number, report) => {
                let (input, problem) = self.parts.solvers.on(number, report);
                self.events.extend(problem.map(trouble));
                input
            }
            Happened::SolversAgain => {
                self.parts.solvers.on_again();
                None
            }
            Happened::SolversIdle => {
                self.parts.solvers.on_idle();
                None
            }
            Happened::Deriver(number, report) => self.parts.derivers.on(number, &report),
            Happened::Trouble(problem) => {
                self.events.push(trouble(problem));
                None
            }
            Happened::Leaving => {
                for down in self.parts.links.end_all() {
                    self.input(down);
                }
                None
            }
            // The loop has taken it.
            Happened::Stop(_) => None,
        };
        if let Some(input) = input {
            self.input(input);
        }
    }

    fn input(&mut self, input: Input<'_, Command>) {
        if matches!(input, Input::Wake) {
            self.timer_at = None;
        }
        self.node.handle_input(clock::now(), input);
        self.drain();
    }

    /// Carries out everything the node wants.
    fn drain(&mut self) {
        loop {
            match self.node.poll_output() {
                Output::WaitUntil(mono) => {
                    self.wake_at = mono;
                    return;
                }
                Output::Event(event) => self.on_event(event),
                output => {
                    if let Some(input) = self.carry_out(output) {
                        self.node.handle_input(clock::now(), input);
                    }
                }
            }
        }
    }

    fn carry_out(&mut self, output: Output<Event>) -> Option<Input<'static, Command>> {
        let Parts {
            links,
            disk,
            solvers,
            derivers,
            ..
        } = &mut self.parts;
        match output {
            Output::Send { link, bytes } => return links.send(link, &bytes),
            Output::Close { link } => return links.close(link),
            Output::Dial { token, to } => return links.dial(token, &to),
            Output::Prepare { token, link } => return links.prepare(token, link),
            Output::Load { token, query } => disk.ask(DiskRequest::Load { token, query }),
            Output::Save { token, batch } => disk.ask(DiskRequest::Save { token, batch }),
            Output::Erase { token } => {
                mark::take();
                disk.ask(DiskRequest::Erase { token });
            }
            Output::Remember { key } => disk.ask(DiskRequest::Remember {
                key: Zeroizing::new(key),
            }),
            Output::Recall { token } => disk.ask(DiskRequest::Recall { token }),
            Output::Forget => disk.ask(DiskRequest::Forget),
            Output::Solve {
                token,
                prefix,
                target,
                expected,
            } => solvers.solve(token, &prefix, &target, expected),
            Output::CancelSolve { token } => solvers.cancel(token),
            Output::Derive {
                token,
                secret,
                salt,
                cost,
            } => derivers.derive(token, &secret, &salt, &cost),
            // `drain` has taken these, and the others are a relay's.
            Output::Event(_)
            | Output::WaitUntil(_)
            | Output::Locate { .. }
            | Output::Knock { .. } => {}
        }
        None
    }

    fn on_event(&mut self, event: Event) {
        match &event {
            Event::Done { id, .. } | Event::Failed { id, .. } if *id >= OWN_IDS => return,
            Event::Phase {
                phase: Phase::Empty,
            } if mark::take() => self.events.push(trouble(environment::store_lost())),
            Event::Phase { phase: Phase::Open } => {
                mark::put();
                self.add_relays();
                environment::ask_to_persist();
            }
            _ => {}
        }
        self.events.push(event);
    }

    /// Makes the relays that the page knows of known to the account, which may know them already.
    fn add_relays(&mut self) {
        for hint in self.parts.hints.clone() {
            let id = self.next_own;
            self.next_own += 1;
            let command = api::Command::AddRelay { hint };
            let request = Request { id, command };
            self.inbox.put(Happened::Input(Input::Command(request)));
        }
    }

    /// Tells the page all that came up, and sets the timer.
    fn end_turn(&mut self) {
        let events = std::mem::take(&mut self.events);
        tell(&self.parts.on_events, &events);
        if self.timer_at == Some(self.wake_at) {
            return;
        }
        self.timer_at = Some(self.wake_at);
        if self.wake_at == Millis::MAX {
            self.timer.clear();
        } else {
            self.timer.set(self.wake_at.saturating_sub(clock::mono()));
        }
    }

    fn stop(mut self, problem: Problem) {
        // Links, workers and timers end with `self`; the database when its queue is empty.
        drop(self.parts.links.end_all());
        self.events.push(trouble(problem));
        tell(&self.parts.on_events, &self.events);
    }
}

fn trouble(problem: Problem) -> Event {
    Event::Trouble { problem }
}

/// Calls the page back once for all events. What it throws is its own affair.
pub fn tell(on_events: &Function, events: &[Event]) {
    if events.is_empty() {
        return;
    }
    let json = serde_json::to_string(events).unwrap_or_default();
    if let Err(error) = on_events.call1(&JsValue::NULL, &JsValue::from_str(&json)) {
        web_sys::console::error_1(&error);
    }
}
