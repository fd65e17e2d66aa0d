//! The whole account as a file: out of this device, and into an empty one. PROTOCOL.md section 8.
//!
//! Invariant: an import changes nothing before the whole file has been opened.

use super::Account;
use super::entry::{PAGE_ROWS, Stage, Step, What, after, all_rows};
use super::model::RowKey;
use super::open::Open;
use super::problems;
use super::unlock::{Outcome, check_passcode};
use crate::api::*;
use crate::export::{self, ExportError, ExportHeader, ExportRow};
use crate::passcode::COST;
use crate::rows::{self, PlainRow, Rows};
use alloc::{collections::BTreeSet, string::String, vec::Vec};
use data_encoding::BASE64;
use shared::crypto::{Key, PublicKey};
use shared::io::*;

impl Account {
    pub(super) fn export(&mut self, id: u64, passcode: String, passphrase: String) -> Outcome {
        if !matches!(self.entry.stage, Stage::Open) {
            return Some(Err(self.not_open()));
        }
        if let Err(problem) = check_passcode(&passphrase) {
            return Some(Err(problem));
        }
        self.try_passcode(id, passcode, What::CheckExport { passphrase })
    }

    /// The account as it stands in memory, then the messages as they are stored.
    pub(super) fn begin_export(&mut self, id: u64, key: Key, salt: [u8; 16]) {
        let Some(open) = &self.open else { return };
        let rows = open.export_state();
        let token = self.cx.load(all_rows(rows::MESSAGES, Vec::new()));
        self.entry.step = Some(Step {
            token,
            request: id,
            what: What::ExportRows { key, salt, rows },
        });
    }

    pub(super) fn on_export_rows(&mut self, found: Vec<Row>) {
        let (Some(open), Some(mut step)) = (&self.open, self.entry.step.take()) else {
            return;
        };
        let What::ExportRows { rows: entries, .. } = &mut step.what else {
            return;
        };
        let table = rows::MESSAGES;
        for row in &found {
            if let Ok(PlainRow { key, value }) = open.rows.open(table, &row.key, &row.value) {
                entries.push(ExportRow { table, key, value });
            }
        }
        let size: usize = entries.iter().map(|e| e.key.len() + e.value.len()).sum();
        if size > export::EXPORT_MAX {
            let problem = problems::export_too_large();
            return self.cx.failed_at_once(step.request, problem);
        }
        if let Some(last) = found.last().filter(|_| found.len() == PAGE_ROWS as usize) {
            step.token = self.cx.load(all_rows(table, after(&last.key)));
            self.entry.step = Some(step);
            return;
        }
        self.finish_export(step);
    }

    /// Messages could not be read: the file does without those that are not in memory.
    pub(super) fn export_failed(&mut self, step: Step) {
        self.cx.trouble(problems::export_partial());
        self.finish_export(step);
    }

    fn finish_export(&mut self, step: Step) {
        let What::ExportRows {
            key,
            salt,
            rows: mut entries,
        } = step.what
        else {
            return;
        };
        let Some(open) = &self.open else { return };
        // What is in memory is newer than what is stored.
        let newer = open.export_messages();
        let keys: BTreeSet<&[u8]> = newer.iter().map(|row| row.key.as_slice()).collect();
        entries.retain(|row| row.table == rows::STATE || !keys.contains(row.key.as_slice()));
        drop(keys);
        entries.extend(newer);
        let header = ExportHeader { cost: COST, salt };
        match export::seal_export(&entries, &header, &key, &mut self.cx.rng) {
            Ok(file) => {
                let file = BASE64.encode(&file);
                self.cx.done_at_once(step.request, Answer::File { file });
            }
            Err(_) => {
                let problem = problems::export_too_large();
                self.cx.failed_at_once(step.request, problem);
            }
        }
    }

    pub(super) fn import(
        &mut self,
        id: u64,
        file: &str,
        passphrase: String,
        passcode: String,
        remember: bool,
    ) -> Outcome {
        if !matches!(self.entry.stage, Stage::Empty) {
            return Some(Err(match self.entry.stage {
                Stage::Locked | Stage::Open => problems::account_exists(),
                _ => self.not_open(),
            }));
        }
        if let Err(problem) = check_passcode(&passcode) {
            return Some(Err(problem));
        }
        if file.len() > export::EXPORT_MAX * 3 / 2 {
            return Some(Err(problems::export_too_large()));
        }
        let Ok(file) = BASE64.decode(file.trim().as_bytes()) else {
            return Some(Err(problems::not_an_export()));
        };
        match ExportHeader::read(&file) {
            Ok(header) => {
                let what = What::Open {
                    file,
                    passcode,
                    remember,
                };
                self.derive(id, passphrase, header.salt, header.cost, what)
            }
            Err(error) => Some(Err(export_problem(error))),
        }
    }

    pub(super) fn open_file(
        &mut self,
        id: u64,
        key: &Key,
        file: &[u8],
        passcode: String,
        remember: bool,
    ) {
        match export::open_export(file, key) {
            Ok(entries) => {
                let salt = self.cx.rng.array();
                let what = What::Import {
                    entries,
                    salt,
                    remember,
                };
                self.derive(id, passcode, salt, COST, what);
            }
            Err(error) => self.cx.failed(id, export_problem(error)),
        }
    }

    pub(super) fn finish_import(
        &mut self,
        id: u64,
        key: &Key,
        entries: Vec<ExportRow>,
        salt: [u8; 16],
        remember: bool,
    ) {
        let Some(who) = Open::account_of(&entries) else {
            return self.cx.failed(id, problems::export_damaged());
        };
        let Ok(who) = PublicKey::from_bytes(&who) else {
            return self.cx.failed(id, problems::export_damaged());
        };
        let Some(data) = self.new_vault(id, who, key, salt) else {
            return;
        };
        let state = entries.iter().filter(|row| row.table == rows::STATE);
        let state = state.map(|row| PlainRow {
            key: row.key.clone(),
            value: row.value.clone(),
        });
        let Some(open) = Open::from_rows(&mut self.cx, data.clone(), state.collect()) else {
            self.entry.vault = None;
            return self.cx.failed(id, problems::export_damaged());
        };
        self.remember(remember, &data);
        let rows = Rows::new(&data);
        let mut changes = Vec::new();
        for row in entries
            .iter()
            .filter(|row| RowKey::parse(&row.key).is_some())
        {
            let fresh = self.cx.rng.array();
            if let Ok((key, value)) = rows.seal(row.table, &row.key, &row.value, &fresh) {
                changes.push(((row.table, key.to_vec()), Some(value)));
            }
        }
        self.save_vault(changes);
        self.opened(open, Some(id));
    }
}

fn export_problem(error: ExportError) -> Problem {
    match error {
        ExportError::NotAnExport => problems::not_an_export(),
        ExportError::NewerVersion => problems::export_newer(),
        ExportError::WrongPassphrase => problems::wrong_passphrase(),
        ExportError::TooLarge => problems::export_too_large(),
        _ => problems::export_damaged(),
    }
}
