//! The way in and out: the store is read, an account opened, locked, erased; commands find who
//! answers them.
//!
//! Invariant: an account is open, locked, or not there; nothing is answered as if it were something
//! else.

use super::greet::check_link;
use super::linking::NewDraft;
use super::open::Open;
use super::unlock::{Outcome, check_passcode, check_words, words_answer};
use super::{Account, problems, views};
use crate::api::*;
use crate::export::ExportRow;
use crate::identity::Seed;
use crate::rows::{self, PlainRow, Rows};
use crate::vault::{DataKey, VAULT_KEY, VaultRow, VaultRowError};
use crate::words;
use alloc::{boxed::Box, string::String, string::ToString, vec::Vec};
use shared::crypto::Key;
use shared::io::*;
use shared::time::Millis;

/// Rows read at a time when the account is opened.
pub(super) const PAGE_ROWS: u32 = 512;
/// How often the vault notes the time, so that a clock set back shows.
const SEEN_MS: Millis = 60_000;

/// What the device is ready for, and the slow step under way.
pub struct Entry {
    pub(super) stage: Stage,
    pub(super) vault: Option<VaultRow>,
    pub(super) step: Option<Step>,
    /// The vault opens without the passcode for now.
    pub(super) remembers: bool,
    seen_at: Millis,
}

pub(super) enum Stage {
    /// The vault row is being read.
    Starting {
        token: Token,
    },
    /// The shell was asked for the remembered key.
    Recalling {
        token: Token,
    },
    Empty,
    Locked,
    /// The rows are being read under this key.
    Reading {
        token: Token,
        data: DataKey,
        rows: Rows,
        state: Vec<PlainRow>,
        answer: Option<u64>,
    },
    Open,
    /// The store cannot be used.
    Broken(Problem),
}

/// A derivation, or a long read, and what comes after it.
pub(super) struct Step {
    pub token: Token,
    pub request: u64,
    pub what: What,
}

pub(super) enum What {
    Create {
        draft: Draft,
        salt: [u8; 16],
        remember: bool,
    },
    Unlock {
        remember: bool,
    },
    CheckOld {
        new: String,
    },
    Rewrap {
        salt: [u8; 16],
    },
    ShowWords,
    CheckExport {
        passphrase: String,
    },
    Export {
        salt: [u8; 16],
    },
    ExportRows {
        key: Key,
        salt: [u8; 16],
        rows: Vec<ExportRow>,
    },
    Open {
        file: Vec<u8>,
        passcode: String,
        remember: bool,
    },
    Import {
        entries: Vec<ExportRow>,
        salt: [u8; 16],
        remember: bool,
    },
    LinkNew {
        draft: NewDraft,
        salt: [u8; 16],
        remember: bool,
    },
    LinkFull {
        history_days: u32,
    },
    Erase,
}

/// An account about to be made.
pub(super) struct Draft {
    pub name: String,
    pub seed: Seed,
    pub restored: bool,
}

impl Entry {
    pub fn start(cx: &mut super::cx::Cx) -> Self {
        let token = cx.load(Query::Keys {
            table: rows::VAULT,
            keys: alloc::vec![VAULT_KEY.to_vec()],
        });
        cx.at_once(Output::Event(Event::Phase {
            phase: Phase::Starting,
        }));
        Self {
            stage: Stage::Starting { token },
            vault: None,
            step: None,
            remembers: false,
            seen_at: 0,
        }
    }

    pub fn next_timer(&self) -> Option<Millis> {
        matches!(self.stage, Stage::Open).then_some(self.seen_at)
    }
}

impl Account {
    pub(super) fn on_command(&mut self, request: Request) {
        let Request { id, command } = request;
        let outcome = match command {
            Command::NewWords => {
                let seed = Seed::draw(&mut self.cx.rng);
                Some(Ok(Some(words_answer(&seed))))
            }
            Command::CheckWords { words } => Some(Ok(Some(check_words(&words)))),
            Command::Complete { prefix } => {
                let words = words::complete(&prefix, 8)
                    .map(ToString::to_string)
                    .collect();
                Some(Ok(Some(Answer::Completions { words })))
            }
            Command::Create { .. } | Command::Import { .. } if self.is_linking() => {
                Some(Err(problems::busy()))
            }
            Command::Create {
                name,
                words,
                passcode,
                restore,
                remember,
            } => self.create(id, &name, &words, passcode, restore, remember),
            Command::Unlock { passcode, remember } => {
                self.try_passcode(id, passcode, What::Unlock { remember })
            }
            Command::Import {
                file,
                passphrase,
                passcode,
                remember,
            } => self.import(id, &file, passphrase, passcode, remember),
            Command::Erase => self.erase(id),
            Command::Lock => Some(self.lock()),
            Command::ChangePasscode { old, new } => match check_passcode(&new) {
                Ok(()) => self.try_passcode(id, old, What::CheckOld { new }),
                Err(problem) => Some(Err(problem)),
            },
            Command::ShowWords { .. } | Command::Export { .. } if self.is_linked() => {
                Some(Err(problems::needs_full_device()))
            }
            Command::ShowWords { passcode } => self.try_passcode(id, passcode, What::ShowWords),
            Command::Export {
                passcode,
                passphrase,
            } => self.export(id, passcode, passphrase),
            Command::LinkNew { .. }
            | Command::LinkScan { .. }
            | Command::LinkConfirm { .. }
            | Command::LinkCancel => self.link_command(id, command),
            Command::CheckLink { link } if self.open.is_none() => {
                Some(check_link(&link, self.cx.now.unix))
            }
            command => match &mut self.open {
                Some(open) => open.command(&mut self.cx, id, command),
                None => Some(Err(self.not_open())),
            },
        };
        match outcome {
            Some(Ok(answer)) => self.cx.done(id, answer),
            Some(Err(problem)) => self.cx.failed(id, problem),
            None => {}
        }
    }

    /// Whether the open account has no words here.
    fn is_linked(&self) -> bool {
        self.open.as_ref().is_some_and(|open| !open.is_full())
    }

    pub(super) fn not_open(&self) -> Problem {
        match &self.entry.stage {
            Stage::Empty => problems::no_account(),
            Stage::Locked => problems::locked(),
            Stage::Broken(problem) => problem.clone(),
            _ => problems::starting(),
        }
    }

    pub(super) fn show_phase(&mut self) {
        let phase = match &self.entry.stage {
            Stage::Empty => Phase::Empty,
            Stage::Locked => match &self.entry.vault {
                Some(vault) => Phase::Locked {
                    account: views::account(vault.account().as_bytes()),
                    attempts: vault.attempts(),
                    wait_until: vault.wait_until(self.cx.now.unix),
                },
                None => Phase::Empty,
            },
            Stage::Open => Phase::Open,
            _ => Phase::Starting,
        };
        self.cx.show_phase(phase);
    }

    fn broken(&mut self, problem: Problem) {
        self.cx.trouble(problem.clone());
        self.entry.stage = Stage::Broken(problem);
    }

    // ---- reading the store ----

    pub(super) fn on_loaded(&mut self, token: Token, found: Vec<Row>) {
        match &self.entry.stage {
            Stage::Starting { token: of } if *of == token => return self.on_vault(found),
            Stage::Reading { token: of, .. } if *of == token => return self.on_state(found),
            _ => {}
        }
        if self
            .entry
            .step
            .as_ref()
            .is_some_and(|step| step.token == token)
        {
            return self.on_export_rows(found);
        }
        if self.on_history_rows(token, &found) {
            return;
        }
        let Some(open) = &mut self.open else { return };
        if let Some(loading) = open.loads.remove(&token) {
            let messages = found
                .iter()
                .filter_map(|row| open.rows.open(rows::MESSAGES, &row.key, &row.value).ok())
                .filter_map(|row| minicbor::decode(&row.value).ok())
                .collect();
            open.on_loaded(&mut self.cx, loading, messages);
        }
    }

    fn on_vault(&mut self, found: Vec<Row>) {
        let Some(row) = found.first() else {
            self.entry.stage = Stage::Empty;
            return self.show_phase();
        };
        match VaultRow::decode(&row.value) {
            Ok(vault) => {
                let remembered = vault.is_remembered(self.cx.now.unix);
                self.entry.vault = Some(vault);
                if remembered {
                    let token = self.cx.token();
                    self.entry.stage = Stage::Recalling { token };
                    self.cx.at_once(Output::Recall { token });
                } else {
                    self.show_locked();
                }
            }
            Err(VaultRowError::Newer) => self.broken(problems::store_newer()),
            Err(_) => self.broken(problems::store_damaged()),
        }
    }

    /// Locked for good: what was remembered is destroyed.
    fn show_locked(&mut self) {
        if let Some(vault) = &mut self.entry.vault {
            vault.forget();
            self.entry.remembers = false;
            self.cx.at_once(Output::Forget);
            self.save_vault(Vec::new());
        }
        self.entry.stage = Stage::Locked;
        self.show_phase();
    }

    pub(super) fn on_recalled(&mut self, token: Token, key: Option<[u8; 32]>) {
        if !matches!(self.entry.stage, Stage::Recalling { token: of } if of == token) {
            return;
        }
        let now = self.cx.now.unix;
        let data_key = match (&mut self.entry.vault, key) {
            (Some(vault), Some(key)) => vault.recall(&Key::new(key), now).ok(),
            _ => None,
        };
        match data_key {
            Some(key) => {
                self.entry.remembers = true;
                self.begin_reading(key, None);
            }
            None => self.show_locked(),
        }
    }

    pub(super) fn begin_reading(&mut self, key: DataKey, answer: Option<u64>) {
        let rows = Rows::new(&key);
        let token = self.cx.load(all_rows(rows::STATE, Vec::new()));
        let state = Vec::new();
        self.entry.stage = Stage::Reading {
            token,
            data: key,
            rows,
            state,
            answer,
        };
    }

    fn on_state(&mut self, found: Vec<Row>) {
        let Stage::Reading {
            token, rows, state, ..
        } = &mut self.entry.stage
        else {
            return;
        };
        let opened = found
            .iter()
            .filter_map(|r| rows.open(rows::STATE, &r.key, &r.value).ok());
        state.extend(opened);
        if found.len() == PAGE_ROWS as usize {
            let from = found.last().map(|row| after(&row.key)).unwrap_or_default();
            *token = self.cx.load(all_rows(rows::STATE, from));
            return;
        }
        let stage = core::mem::replace(&mut self.entry.stage, Stage::Locked);
        let Stage::Reading {
            data,
            state,
            answer,
            ..
        } = stage
        else {
            return;
        };
        match Open::from_rows(&mut self.cx, data, state) {
            Some(open) => self.opened(open, answer),
            None => {
                if let Some(id) = answer {
                    self.cx.failed(id, problems::store_damaged());
                }
                self.broken(problems::store_damaged());
            }
        }
    }

    pub(super) fn opened(&mut self, mut open: Open, answer: Option<u64>) {
        self.entry.stage = Stage::Open;
        self.entry.seen_at = 0;
        open.begin(&mut self.cx);
        self.show_phase();
        open.snapshot(&mut self.cx);
        open.tell_unsure(&mut self.cx);
        self.open = Some(Box::new(open));
        if let Some(id) = answer {
            self.cx.done(id, None);
        }
    }

    fn lock(&mut self) -> Result<Option<Answer>, Problem> {
        if !matches!(self.entry.stage, Stage::Open) {
            return Err(self.not_open());
        }
        self.close();
        self.show_locked();
        Ok(None)
    }

    /// Drops the open account; what it changed is saved first.
    pub(super) fn close(&mut self) {
        self.drop_linking(false);
        if let Some(open) = &mut self.open {
            if self.cx.is_failing() {
                // Should the store be emptied meanwhile, what waits makes it right.
                open.write_all(&mut self.cx);
            }
            open.fail_pending(&mut self.cx, problems::locked());
            open.jobs.stop(&mut self.cx);
            open.relays.close_all(&mut self.cx);
        }
        self.flush();
        self.open = None;
        if let Some(step) = self.entry.step.take() {
            self.cx.failed(step.request, problems::locked());
        }
    }

    fn erase(&mut self, id: u64) -> Outcome {
        self.close();
        self.drop_linking(true);
        self.cx.drop_pending();
        // What is being read is of an account that will be gone.
        let stage = core::mem::replace(&mut self.entry.stage, Stage::Locked);
        if let Stage::Reading {
            answer: Some(id), ..
        } = stage
        {
            self.cx.failed(id, problems::locked());
        }
        let token = self.cx.token();
        self.entry.step = Some(Step {
            token,
            request: id,
            what: What::Erase,
        });
        self.cx.at_once(Output::Forget);
        self.cx.at_once(Output::Erase { token });
        None
    }

    pub(super) fn on_saved(&mut self, token: Token) {
        if self.cx.on_saved(token) {
            return;
        }
        let erased = |step: &mut Step| step.token == token && matches!(step.what, What::Erase);
        if let Some(step) = self.entry.step.take_if(erased) {
            self.entry.vault = None;
            self.entry.stage = Stage::Empty;
            self.show_phase();
            self.cx.done(step.request, None);
        }
    }

    pub(super) fn on_store_failed(&mut self, token: Token, error: StoreError) {
        let save = self.cx.on_save_failed(token, error);
        let mut problem = problems::store_unavailable();
        if error == StoreError::Emptied {
            problem = problems::store_emptied();
            self.on_emptied();
        }
        // What can't be read of the past is not handed over.
        if save || self.on_history_rows(token, &[]) {
            return;
        }
        if let Some(step) = self.entry.step.take_if(|step| step.token == token) {
            return match step.what {
                What::ExportRows { .. } => self.export_failed(step),
                _ => self.cx.failed(step.request, problem),
            };
        }
        if let Stage::Reading {
            token: of,
            answer: Some(id),
            ..
        } = &self.entry.stage
            && *of == token
        {
            self.cx.failed(*id, problem.clone());
        }
        let reading = match &self.entry.stage {
            Stage::Starting { token: of } | Stage::Reading { token: of, .. } => *of == token,
            _ => false,
        };
        if reading {
            self.broken(problem);
        } else if let Some(open) = &mut self.open {
            open.load_failed(&mut self.cx, token, problem);
        }
    }

    /// All that was stored is gone.
    fn on_emptied(&mut self) {
        let data = match &mut self.open {
            Some(open) => {
                open.write_back(&mut self.cx);
                Some(open.data.clone())
            }
            None if self.cx.holds_whole() => None,
            None => return self.lost(),
        };
        self.cx.owe_whole();
        if let (Some(data), Some(vault)) = (data, &mut self.entry.vault)
            && self.entry.remembers
        {
            let key = self.cx.rng.array();
            vault.remember_anew(&data, &Key::new(key), &self.cx.rng.array());
            self.cx.after(Output::Remember { key });
        }
        self.save_vault(Vec::new());
        self.cx.trouble(problems::store_emptied());
    }

    /// All that was stored is gone, and it is not in memory either.
    fn lost(&mut self) {
        if matches!(self.entry.stage, Stage::Empty) {
            return;
        }
        self.cx.drop_pending();
        if let Some(step) = self.entry.step.take() {
            self.cx.failed(step.request, problems::store_lost());
        }
        let stage = core::mem::replace(&mut self.entry.stage, Stage::Empty);
        if let Stage::Reading {
            answer: Some(id), ..
        } = stage
        {
            self.cx.failed(id, problems::store_lost());
        }
        self.entry.vault = None;
        self.entry.remembers = false;
        self.cx.trouble(problems::store_lost());
        self.show_phase();
    }

    pub(super) fn on_timer(&mut self) {
        self.cx.on_timer();
        if matches!(self.entry.stage, Stage::Open) && self.entry.seen_at <= self.cx.now.mono {
            self.entry.seen_at = self.cx.now.mono + SEEN_MS;
            let now = self.cx.now.unix;
            if let Some(vault) = self.entry.vault.as_mut().filter(|_| self.entry.remembers) {
                if !vault.seen(now) {
                    // Twenty hours are over, or the clock went back: the passcode is asked for.
                    self.close();
                    self.show_locked();
                    return;
                }
                self.save_vault(Vec::new());
            }
        }
        if let Some(open) = &mut self.open {
            open.on_timer(&mut self.cx);
        }
        self.on_link_timer();
    }
}

pub(super) fn all_rows(table: Table, from: Vec<u8>) -> Query {
    Query::Range {
        table,
        from,
        to: None,
        limit: PAGE_ROWS,
    }
}

/// The smallest key above this one.
pub(super) fn after(key: &[u8]) -> Vec<u8> {
    let mut next = key.to_vec();
    next.push(0);
    next
}
