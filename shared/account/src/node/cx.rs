//! What every part of an open account is handed: the time, randomness, and the way out.
//!
//! Invariant: what is put into [`Cx::after`] leaves only once all rows changed by the same input
//! are saved. One save is under way at a time; changes that come meanwhile form the next, so a
//! failed one can be tried again whole.

use super::carry::CARRIED_BYTES_MAX;
use super::model::RowKey;
use crate::api::{Answer, Event, Phase, Problem};
use crate::rows::Rows;
use alloc::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    string::String,
    vec::Vec,
};
use shared::crypto::{Rng, sha256};
use shared::io::{Batch, Change, LinkId, Output, Query, StoreError, Table, Token};
use shared::range::SCAN_WIDER_BITS;
use shared::time::{Millis, Now};

/// Fixed for the life of a node.
#[derive(Clone, Copy, Debug)]
pub struct Config {
    /// `shared::object::network_id("main")` but in tests.
    pub network: u32,
    /// 1; larger only in the simulation.
    pub work_divisor: u64,
    /// [`SCAN_WIDER_BITS`]; smaller only in the simulation of small networks.
    pub scan_wider_bits: u8,
    /// [`CARRIED_BYTES_MAX`]; fewer where thousands of accounts share one memory.
    pub carried_bytes_max: usize,
}

impl Config {
    /// Of a network, as it is in earnest.
    pub fn new(network: u32) -> Self {
        Config {
            network,
            work_divisor: 1,
            scan_wider_bits: SCAN_WIDER_BITS,
            carried_bytes_max: CARRIED_BYTES_MAX,
        }
    }
}

/// Time, randomness, and what goes out.
pub struct Cx {
    pub config: Config,
    pub now: Now,
    pub rng: Rng,
    /// For what an observer can see: moments, sizes, addresses. A stream of its own, so that it
    /// does not depend on what came in and how many rows that changed.
    pub visible: Rng,
    tokens: u64,
    out: VecDeque<Output<Event>>,
    after: Vec<Output<Event>>,
    dirty: BTreeSet<RowKey>,
    written: BTreeMap<RowKey, Option<Vec<u8>>>,
    sealed: Vec<SealedRow>,
    durable: bool,
    saving: Option<Saving>,
    waiting: Saving,
    retry_at: Option<Millis>,
    /// The changes of this input are all there is.
    whole: bool,
    /// The store was emptied: nothing leaves before all there is has been saved anew.
    owes_whole: bool,
    /// Codes of what was told and may be over some time.
    troubles: BTreeSet<String>,
}

/// Changes, and what leaves when they are saved. Of a row changed twice the later change counts.
#[derive(Default)]
struct Saving {
    token: Option<Token>,
    changes: BTreeMap<(Table, Vec<u8>), Option<Vec<u8>>>,
    durable: bool,
    /// It makes an empty store right.
    whole: bool,
    after: Vec<Output<Event>>,
}

impl Saving {
    fn add(&mut self, later: Saving) {
        self.changes.extend(later.changes);
        self.durable |= later.durable;
        self.whole |= later.whole;
        self.after.extend(later.after);
    }

    fn batch(&self) -> Batch {
        let change = |(of, value): (&(Table, Vec<u8>), &Option<Vec<u8>>)| {
            let (table, key) = of.clone();
            match value.clone() {
                Some(value) => Change::Put { table, key, value },
                None => Change::Delete { table, key },
            }
        };
        Batch {
            durable: self.durable,
            changes: self.changes.iter().map(change).collect(),
        }
    }
}

/// A row as the store gets it: table and key, and the value, or that it goes.
pub type SealedRow = ((Table, Vec<u8>), Option<Vec<u8>>);

/// What a failed save is told as.
const SAVE_TROUBLES: [&str; 2] = ["disk_full", "store_unavailable"];
/// How long a failed save waits before it is tried again.
const SAVE_RETRY_MS: Millis = 5_000;

impl Cx {
    pub fn new(config: Config, seed: [u8; 32], now: Now) -> Self {
        Self {
            config,
            now,
            rng: Rng::new(seed),
            visible: Rng::new(sha256(&[b"wm-visible", &seed])),
            tokens: 0,
            out: VecDeque::new(),
            after: Vec::new(),
            dirty: BTreeSet::new(),
            written: BTreeMap::new(),
            sealed: Vec::new(),
            durable: false,
            saving: None,
            waiting: Saving::default(),
            retry_at: None,
            whole: false,
            owes_whole: false,
            troubles: BTreeSet::new(),
        }
    }

    pub fn token(&mut self) -> Token {
        self.tokens += 1;
        Token(self.tokens)
    }

    /// Leaves at once.
    pub fn at_once(&mut self, output: Output<Event>) {
        self.out.push_back(output);
    }

    /// Leaves when this input's changes are saved.
    pub fn after(&mut self, output: Output<Event>) {
        self.after.push(output);
    }

    pub fn event(&mut self, event: Event) {
        self.after(Output::Event(event));
    }

    pub fn done(&mut self, id: u64, answer: Option<Answer>) {
        self.event(Event::Done { id, answer });
    }

    /// An answer that depends on nothing this input changed.
    pub fn done_at_once(&mut self, id: u64, answer: Answer) {
        let answer = Some(answer);
        self.at_once(Output::Event(Event::Done { id, answer }));
    }

    /// The same for a refusal.
    pub fn failed_at_once(&mut self, id: u64, error: Problem) {
        self.at_once(Output::Event(Event::Failed { id, error }));
    }

    pub fn failed(&mut self, id: u64, error: Problem) {
        self.event(Event::Failed { id, error });
    }

    pub fn trouble(&mut self, problem: Problem) {
        self.troubles.insert(problem.code.clone());
        self.at_once(Output::Event(Event::Trouble { problem }));
    }

    /// Whether a trouble was told and is not over.
    pub fn is_told(&self, code: &str) -> bool {
        self.troubles.contains(code)
    }

    /// A trouble, if it was told, is no more.
    pub fn trouble_over(&mut self, code: &str) {
        if let Some(code) = self.troubles.take(code) {
            self.at_once(Output::Event(Event::TroubleOver { code }));
        }
    }

    pub fn send(&mut self, link: LinkId, bytes: Vec<u8>) {
        self.after(Output::Send { link, bytes });
    }

    pub fn load(&mut self, query: Query) -> Token {
        let token = self.token();
        self.at_once(Output::Load { token, query });
        token
    }

    /// The row is encoded anew, or deleted, when this input has been handled.
    pub fn touch(&mut self, row: RowKey) {
        self.dirty.insert(row);
        self.durable = true;
    }

    /// As `touch`, for what may be lost in a power cut.
    pub fn touch_lazily(&mut self, row: RowKey) {
        self.dirty.insert(row);
    }

    /// Writes (`None`: deletes) a row that is not held in memory.
    pub fn write(&mut self, row: RowKey, value: Option<Vec<u8>>) {
        self.written.insert(row, value);
        self.durable = true;
    }

    /// Rows that are sealed already (the vault's, and those of an import).
    pub fn also(&mut self, rows: Vec<SealedRow>) {
        self.sealed.extend(rows);
        self.durable = true;
    }

    /// What this input changes is everything that there is to be stored.
    pub fn all_is_written(&mut self) {
        self.whole = true;
        self.durable = true;
    }

    /// The rows touched by this input, to be encoded by the account.
    pub fn take_dirty(&mut self) -> BTreeSet<RowKey> {
        core::mem::take(&mut self.dirty)
    }

    /// The rows written by this input, as they are: a test stores them itself.
    #[cfg(test)]
    pub fn take_written(&mut self) -> BTreeMap<RowKey, Option<Vec<u8>>> {
        core::mem::take(&mut self.written)
    }

    /// Ends an input of an open account: seals the changed rows and hands them to the store.
    pub fn flush(&mut self, rows: &Rows, encoded: Vec<(RowKey, Option<Vec<u8>>)>) {
        let written = core::mem::take(&mut self.written);
        let changes: Vec<SealedRow> = encoded
            .into_iter()
            .chain(written)
            .filter_map(|(key, value)| change(rows, &key, value.as_deref(), &mut self.rng))
            .collect();
        self.save(changes);
    }

    /// Ends an input: `changes` are saved, then what came `after` leaves.
    pub fn save(&mut self, mut changes: Vec<SealedRow>) {
        changes.append(&mut self.sealed);
        let after = core::mem::take(&mut self.after);
        let durable = core::mem::take(&mut self.durable);
        let whole = core::mem::take(&mut self.whole);
        if changes.is_empty() && self.waiting.changes.is_empty() {
            // What leaves may tell of changes still being saved: it waits for them too.
            match &mut self.saving {
                Some(saving) => saving.after.extend(after),
                None => self.out.extend(after),
            }
            return;
        }
        self.waiting.add(Saving {
            token: None,
            changes: changes.into_iter().collect(),
            durable,
            whole,
            after,
        });
        self.start_save();
    }

    fn start_save(&mut self) {
        if self.saving.is_some() || self.retry_at.is_some() || self.waiting.changes.is_empty() {
            return;
        }
        let token = self.token();
        let mut saving = core::mem::take(&mut self.waiting);
        saving.token = Some(token);
        self.out.push_back(Output::Save {
            token,
            batch: saving.batch(),
        });
        self.saving = Some(saving);
    }

    /// True if the token was this save's.
    pub fn on_saved(&mut self, token: Token) -> bool {
        match self.saving.take() {
            Some(saving) if saving.token == Some(token) => {
                for code in SAVE_TROUBLES {
                    self.trouble_over(code);
                }
                self.owes_whole &= !saving.whole;
                if self.owes_whole {
                    self.waiting.after.splice(0..0, saving.after);
                } else {
                    self.out.extend(saving.after);
                }
                self.start_save();
                true
            }
            other => {
                self.saving = other;
                false
            }
        }
    }

    /// True if the token was this save's: it is tried again with what came since.
    pub fn on_save_failed(&mut self, token: Token, error: StoreError) -> bool {
        let Some(mut failed) = self.saving.take_if(|s| s.token == Some(token)) else {
            return false;
        };
        failed.token = None;
        failed.add(core::mem::take(&mut self.waiting));
        self.waiting = failed;
        let problem = match error {
            StoreError::Full => super::problems::disk_full(),
            StoreError::Unavailable => super::problems::store_unavailable(),
            // Saved anew at once, with all that was lost.
            StoreError::Emptied => return true,
        };
        self.retry_at = Some(self.now.mono + SAVE_RETRY_MS);
        self.trouble(problem);
        true
    }

    /// Nothing leaves before a batch that holds all there is has been saved.
    pub fn owe_whole(&mut self) {
        self.owes_whole = true;
    }

    /// Whether what is still to be saved makes an empty store right.
    pub fn holds_whole(&self) -> bool {
        self.waiting.whole || self.saving.as_ref().is_some_and(|saving| saving.whole)
    }

    /// Whether the last save failed.
    pub fn is_failing(&self) -> bool {
        let told = |code: &&str| self.troubles.contains(*code);
        self.owes_whole || SAVE_TROUBLES.iter().any(told)
    }

    /// What the device is ready for. That it is locked shows at once even while nothing can be
    /// saved; of what waits for that only answers are still told then.
    pub fn show_phase(&mut self, phase: Phase) {
        let failing = self.is_failing();
        let locked = matches!(phase, Phase::Locked { .. });
        let event = Event::Phase { phase };
        if !(failing && locked) {
            return self.event(event);
        }
        let waits = [&mut self.after, &mut self.waiting.after];
        let saving = self.saving.iter_mut().map(|s| &mut s.after);
        waits
            .into_iter()
            .chain(saving)
            .for_each(|after| after.retain(is_answer));
        self.at_once(Output::Event(event));
    }

    pub fn on_timer(&mut self) {
        if self.retry_at.is_some_and(|at| at <= self.now.mono) {
            self.retry_at = None;
            self.start_save();
        }
    }

    pub fn next_timer(&self) -> Option<Millis> {
        self.retry_at
    }

    /// Drops everything that was not handed out yet, on erasing. Commands whose answer waited for a
    /// save get another.
    pub fn drop_pending(&mut self) {
        let saving = self.saving.take().unwrap_or_default();
        let waiting = core::mem::take(&mut self.waiting);
        for output in saving.after.into_iter().chain(waiting.after) {
            let (Output::Event(Event::Done { id, .. }) | Output::Event(Event::Failed { id, .. })) =
                output
            else {
                continue;
            };
            self.failed(id, super::problems::locked());
        }
        self.retry_at = None;
        self.whole = false;
        self.owes_whole = false;
        self.dirty.clear();
        self.written.clear();
        self.sealed.clear();
    }

    pub fn pop(&mut self) -> Option<Output<Event>> {
        self.out.pop_front()
    }
}

/// A row as the store gets it. `None` for one that is too long, which the bounds of its parts
/// exclude.
fn change(rows: &Rows, key: &RowKey, value: Option<&[u8]>, rng: &mut Rng) -> Option<SealedRow> {
    let table = key.table();
    Some(match value {
        Some(value) => {
            let (key, value) = rows.seal(table, &key.bytes(), value, &rng.array()).ok()?;
            ((table, key.to_vec()), Some(value))
        }
        None => {
            let key = rows.locate(table, &key.bytes()).ok()?;
            ((table, key.to_vec()), None)
        }
    })
}

fn is_answer(output: &Output<Event>) -> bool {
    let answer = |event: &Event| matches!(event, Event::Done { .. } | Event::Failed { .. });
    matches!(output, Output::Event(event) if answer(event))
}
