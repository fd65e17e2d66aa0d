//! Creating an account, and the passcode: tried, changed, remembered. PROTOCOL.md section 8.
//!
//! Invariant: an attempt is counted on disk before it is tried, and one slow derivation is under
//! way at a time.

use super::Account;
use super::cx::SealedRow;
use super::entry::{Draft, Stage, Step, What};
use super::open::Open;
use super::{commands, problems};
use crate::api::*;
use crate::identity::{Identity, Seed, Typed, read_words};
use crate::passcode::{self, COST, PasscodeError};
use crate::rows;
use crate::vault::{DataKey, TooEarly, VAULT_KEY, VaultRow};
use alloc::{string::String, string::ToString, vec::Vec};
use shared::crypto::{Key, PublicKey};
use shared::io::*;

/// An answer now, or `None`: later.
pub(super) type Outcome = Option<Result<Option<Answer>, Problem>>;

impl Account {
    pub(super) fn create(
        &mut self,
        id: u64,
        name: &str,
        words: &str,
        passcode: String,
        restored: bool,
        remember: bool,
    ) -> Outcome {
        if !matches!(self.entry.stage, Stage::Empty) {
            return Some(Err(match self.entry.stage {
                Stage::Locked | Stage::Open => problems::account_exists(),
                _ => self.not_open(),
            }));
        }
        let name = match commands::clean_name(name) {
            Ok(name) => name,
            Err(problem) => return Some(Err(problem)),
        };
        if let Err(problem) = check_passcode(&passcode) {
            return Some(Err(problem));
        }
        let Ok(seed) = read_words(words).seed().cloned() else {
            return Some(Err(problems::words_invalid()));
        };
        let salt = self.cx.rng.array();
        let draft = Draft {
            name,
            seed,
            restored,
        };
        self.derive(
            id,
            passcode,
            salt,
            COST,
            What::Create {
                draft,
                salt,
                remember,
            },
        )
    }

    /// Starts the slow derivation, after what it depends on is saved.
    pub(super) fn derive(
        &mut self,
        request: u64,
        secret: String,
        salt: [u8; 16],
        cost: KdfCost,
        what: What,
    ) -> Outcome {
        if self.entry.step.is_some() {
            return Some(Err(problems::busy()));
        }
        let token = self.cx.token();
        self.entry.step = Some(Step {
            token,
            request,
            what,
        });
        let secret = Secret(secret.into_bytes());
        let derive = Output::Derive {
            token,
            secret,
            salt,
            cost,
        };
        // Where nothing can be stored, words and files are wanted most.
        match self.open.is_some() && self.cx.is_failing() {
            true => self.cx.at_once(derive),
            false => self.cx.after(derive),
        }
        None
    }

    /// Counts an attempt, then derives.
    pub(super) fn try_passcode(&mut self, id: u64, passcode: String, what: What) -> Outcome {
        let fits = match what {
            What::Unlock { .. } => matches!(self.entry.stage, Stage::Locked),
            _ => matches!(self.entry.stage, Stage::Open),
        };
        if !fits {
            return Some(match self.entry.stage {
                // Unlocking what is open is no error.
                Stage::Open => Ok(None),
                _ => Err(self.not_open()),
            });
        }
        if self.entry.step.is_some() {
            return Some(Err(problems::busy()));
        }
        let now = self.cx.now.unix;
        let Some(vault) = &mut self.entry.vault else {
            return Some(Err(problems::no_account()));
        };
        match vault.begin_unlock(now) {
            Ok((salt, cost)) => {
                self.save_vault(Vec::new());
                self.derive(id, passcode, salt, cost, what)
            }
            Err(TooEarly { until }) => {
                self.save_vault(Vec::new());
                let seconds = until.saturating_sub(now).div_ceil(1_000).max(1);
                Some(Err(problems::passcode_wait(seconds)))
            }
        }
    }

    pub(super) fn on_derive_failed(&mut self, token: Token) {
        if let Some(step) = self.entry.step.take_if(|step| step.token == token) {
            let attempt = matches!(
                step.what,
                What::Unlock { .. }
                    | What::CheckOld { .. }
                    | What::CheckExport { .. }
                    | What::ShowWords
                    | What::LinkFull { .. }
            );
            if let Some(vault) = self.entry.vault.as_mut().filter(|_| attempt) {
                vault.not_tried();
                self.save_vault(Vec::new());
            }
            self.cx.failed(step.request, problems::memory_short());
        }
    }

    pub(super) fn on_derived(&mut self, token: Token, key: [u8; 32]) {
        let Some(step) = self.entry.step.take_if(|step| step.token == token) else {
            return;
        };
        let key = Key::new(key);
        let id = step.request;
        match step.what {
            What::Create {
                draft,
                salt,
                remember,
            } => {
                self.finish_create(id, draft, key, salt, remember);
            }
            What::Unlock { remember } => {
                if let Some(data) = self.finish_attempt(id, &key) {
                    self.remember(remember, &data);
                    self.save_vault(Vec::new());
                    self.begin_reading(data, Some(id));
                }
            }
            What::CheckOld { new } => {
                if self.finish_attempt(id, &key).is_some() {
                    self.save_vault(Vec::new());
                    let salt = self.cx.rng.array();
                    self.derive(id, new, salt, COST, What::Rewrap { salt });
                }
            }
            What::Rewrap { salt } => self.rewrap(id, &key, salt),
            What::ShowWords => {
                if self.finish_attempt(id, &key).is_some() {
                    self.save_vault(Vec::new());
                    match self.open.as_ref().and_then(|open| open.seed()) {
                        Some(seed) => self.cx.done_at_once(id, words_answer(&seed)),
                        None => self.cx.failed_at_once(id, problems::needs_full_device()),
                    }
                }
            }
            What::CheckExport { passphrase } => {
                if self.finish_attempt(id, &key).is_some() {
                    self.save_vault(Vec::new());
                    let salt = self.cx.rng.array();
                    self.derive(id, passphrase, salt, COST, What::Export { salt });
                }
            }
            What::Export { salt } => self.begin_export(id, key, salt),
            What::Open {
                file,
                passcode,
                remember,
            } => {
                self.open_file(id, &key, &file, passcode, remember);
            }
            What::Import {
                entries,
                salt,
                remember,
            } => {
                self.finish_import(id, &key, entries, salt, remember);
            }
            What::LinkNew {
                draft,
                salt,
                remember,
            } => {
                self.cx.done(id, None);
                self.begin_new(draft, (key, salt, remember));
            }
            What::LinkFull { history_days } => {
                if self.finish_attempt(id, &key).is_some() {
                    self.save_vault(Vec::new());
                    self.cx.done(id, None);
                    self.link_approve(true, history_days);
                }
            }
            What::ExportRows { .. } | What::Erase => {}
        }
    }

    pub(super) fn finish_create(
        &mut self,
        id: u64,
        draft: Draft,
        key: Key,
        salt: [u8; 16],
        remember: bool,
    ) {
        let identity = Identity::from_seed(&draft.seed);
        let who = *identity.id().key();
        let Some(data) = self.new_vault(id, who, &key, salt) else {
            return;
        };
        self.remember(remember, &data);
        let open = Open::create(&mut self.cx, data, draft.seed, draft.name, draft.restored);
        self.save_vault(Vec::new());
        self.opened(open, Some(id));
    }

    pub(super) fn new_vault(
        &mut self,
        id: u64,
        who: PublicKey,
        key: &Key,
        salt: [u8; 16],
    ) -> Option<DataKey> {
        let made = self.make_vault(who, key, salt);
        if made.is_none() {
            self.cx.failed(id, problems::not_possible());
        }
        made
    }

    pub(super) fn make_vault(
        &mut self,
        who: PublicKey,
        key: &Key,
        salt: [u8; 16],
    ) -> Option<DataKey> {
        let data = DataKey::draw(&mut self.cx.rng);
        let fresh = self.cx.rng.array();
        let vault = VaultRow::create(who, &data, key, salt, COST, &fresh).ok()?;
        self.entry.vault = Some(vault);
        Some(data)
    }

    /// The key behind the vault, or the answer that it was the wrong passcode.
    pub(super) fn finish_attempt(&mut self, id: u64, key: &Key) -> Option<DataKey> {
        let vault = self.entry.vault.as_mut()?;
        match vault.finish_unlock(key) {
            Ok(data) => Some(data),
            Err(_) => {
                self.cx.failed_at_once(id, problems::wrong_passcode());
                if matches!(self.entry.stage, Stage::Locked) {
                    self.show_phase();
                }
                None
            }
        }
    }

    pub(super) fn rewrap(&mut self, id: u64, key: &Key, salt: [u8; 16]) {
        let (Some(vault), Some(open)) = (&mut self.entry.vault, &self.open) else {
            return;
        };
        if vault
            .rewrap(&open.data, key, salt, COST, &self.cx.rng.array())
            .is_err()
        {
            return self.cx.failed(id, problems::not_possible());
        }
        self.entry.remembers = false;
        self.cx.after(Output::Forget);
        self.save_vault(Vec::new());
        self.cx.done(id, None);
    }

    pub(super) fn remember(&mut self, remember: bool, data: &DataKey) {
        let now = self.cx.now.unix;
        self.entry.remembers = remember;
        let Some(vault) = &mut self.entry.vault else {
            return;
        };
        if remember {
            let key = self.cx.rng.array();
            vault.remember(data, &Key::new(key), now, &self.cx.rng.array());
            self.cx.after(Output::Remember { key });
        } else {
            vault.forget();
            self.cx.after(Output::Forget);
        }
    }

    /// Writes the vault row, with other changes in the same batch.
    pub(super) fn save_vault(&mut self, mut with: Vec<SealedRow>) {
        if let Some(vault) = &self.entry.vault {
            with.push(((rows::VAULT, VAULT_KEY.to_vec()), Some(vault.encode())));
        }
        self.cx.also(with);
    }
}

pub(super) fn check_passcode(passcode: &str) -> Result<(), Problem> {
    passcode::check_passcode(passcode).map_err(|error| match error {
        PasscodeError::TooShort => problems::passcode_too_short(),
        PasscodeError::TooLong => problems::passcode_too_long(),
    })
}

pub(super) fn words_answer(seed: &Seed) -> Answer {
    Answer::Words {
        words: seed.words().into_iter().map(ToString::to_string).collect(),
    }
}

pub(super) fn check_words(text: &str) -> Answer {
    let typed: Typed = read_words(text);
    let seed = typed.seed().ok();
    Answer::WordCheck {
        complete: seed.is_some(),
        checksum: seed.is_some_and(|seed| seed.checksum()),
        account: seed.map(|seed| Identity::from_seed(seed).id().to_string()),
        unknown: typed
            .unknown
            .iter()
            .map(|u| UnknownWord {
                at: u.at as u32,
                word: u.word.clone(),
                near: u.near.iter().map(ToString::to_string).collect(),
            })
            .collect(),
        count: typed.count as u32,
    }
}
