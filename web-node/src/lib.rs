//! The browser peer: an account, driven by what a browser offers. The page sees two things of it:
//! [`Peer`], and [`worker::worker_main`] in its workers.
//!
//! Invariant: everything that crosses to the page is JSON in the vocabulary of `account::api`;
//! errors are thrown as problems with three sentences. `shared::io` is the contract inside.

mod clock;
mod derive;
mod disk;
mod driver;
mod environment;
mod keep;
mod lock;
mod mark;
mod pool;
pub mod pow;
mod room;
mod rtc;
mod sdp;
mod solve;
mod store;
mod timer;
mod turn;
mod worker;

use std::cell::RefCell;

use account::api::{Event, Problem, Request};
use account::node::{Account, Config};
use driver::{Driver, Happened, Inbox, OWN_IDS, Parts};
use js_sys::Function;
use serde::Deserialize;
use shared::io::Input;
use store::Store;
use wasm_bindgen::prelude::*;
use zeroize::Zeroizing;

/// What the page says when it starts a peer.
#[derive(Deserialize)]
struct Start {
    /// Relays it knows of, base64url.
    #[serde(default)]
    hints: Vec<String>,
    /// Take the account over from another tab that has it open.
    #[serde(default)]
    take_over: bool,
}

/// An account that runs in this tab.
#[wasm_bindgen]
pub struct Peer {
    inbox: Inbox,
}

#[wasm_bindgen]
impl Peer {
    /// Opens the account of this browser. `config` is `{"hints": [base64url], "take_over": bool}`;
    /// `on_events` is called with a JSON array of events, beginning with a phase; `new_worker`
    /// gives a fresh worker that calls `worker_main`. Throws a problem as JSON when it cannot run
    /// here, or is open in another tab (`second_tab`).
    pub async fn start(
        config: String,
        on_events: Function,
        new_worker: Function,
    ) -> Result<Peer, JsValue> {
        start(&config, on_events, new_worker)
            .await
            .map_err(|problem| environment::thrown(&problem))
    }

    /// Takes a request as JSON; its answer comes as an event with the same id. Throws a problem
    /// when it is none, or nothing runs any more.
    pub fn command(&self, json: String) -> Result<(), JsValue> {
        // It may hold a passcode.
        let json = Zeroizing::new(json);
        let request = self
            .read(&json)
            .map_err(|problem| environment::thrown(&problem))?;
        let command = Input::Command(request);
        self.inbox.put(Happened::Input(command));
        Ok(())
    }

    fn read(&self, json: &str) -> Result<Request, Problem> {
        if LISTENER.with_borrow(Option::is_none) || self.inbox.is_closed() {
            return Err(environment::stopped());
        }
        let request: Request = serde_json::from_str(json)
            .map_err(|error| environment::bad_command(&error.to_string()))?;
        if request.id >= OWN_IDS {
            return Err(environment::bad_command("its id is too large"));
        }
        Ok(request)
    }
}

async fn start(config: &str, on_events: Function, new_worker: Function) -> Result<Peer, Problem> {
    let start: Start = serde_json::from_str(config)
        .map_err(|error| environment::cannot_start(&error.to_string()))?;
    report_panics(on_events.clone());
    environment::check()?;

    let (inbox, happenings) = Inbox::new();
    let lost = inbox.clone();
    let on_lost = move || lost.put(Happened::Stop(environment::taken_over()));
    let lock = lock::take(start.take_over, on_lost)
        .await
        .map_err(|_| environment::second_tab())?;

    let [seed, owner] = [random()?, random()?];
    let owner = owner.iter().map(|byte| format!("{byte:02x}")).collect();
    let store = Store::open(owner)
        .await
        .map_err(|error| environment::cannot_open(&error))?;

    let config = Config::new(shared::object::network_id("main"));
    let node = Account::new(config, seed, clock::now());
    let parts = Parts {
        links: rtc::Links::new(inbox.clone()),
        disk: disk::Disk::start(store, inbox.clone()),
        solvers: solve::Solvers::new(new_worker.clone(), inbox.clone()),
        derivers: derive::Derivers::new(new_worker, inbox.clone()),
        _lock: lock,
        on_events,
        hints: start.hints,
    };
    let driver = Driver::new(Box::new(node), parts, inbox.clone());
    wasm_bindgen_futures::spawn_local(driver.run(happenings));
    tell_when_leaving(inbox.clone());
    Ok(Peer { inbox })
}

fn random() -> Result<[u8; 32], Problem> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes)
        .map_err(|_| environment::cannot_start("the browser gives no random numbers"))?;
    Ok(bytes)
}

/// A page that goes closes its links, or relays would keep them for half a minute.
fn tell_when_leaving(inbox: Inbox) {
    let leaving = Closure::<dyn FnMut()>::new(move || inbox.put(Happened::Leaving));
    if let Some(window) = web_sys::window() {
        // Without it relays find out by themselves.
        let _ =
            window.add_event_listener_with_callback("pagehide", leaving.as_ref().unchecked_ref());
        leaving.forget();
    }
}

thread_local! {
    /// Whom to tell of a panic; `None` after one, and before the first start.
    static LISTENER: RefCell<Option<Function>> = const { RefCell::new(None) };
}

/// A panic is a broken invariant: nothing runs after it, and the person is told.
fn report_panics(on_events: Function) {
    LISTENER.with_borrow_mut(|known| *known = Some(on_events));
    std::panic::set_hook(Box::new(|info| {
        let detail = info.to_string();
        web_sys::console::error_1(&JsValue::from_str(&detail));
        let Some(on_events) = LISTENER.take() else {
            return;
        };
        let problem = environment::crashed(&detail);
        driver::tell(&on_events, &[Event::Trouble { problem }]);
    }));
}
