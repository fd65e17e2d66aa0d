//! The whole account as a file: out of this device, and into an empty one. PROTOCOL.md section 8.
//!
//! Invariant: an import changes nothing before the whole file has been opened.

use super::Account;
use super::entry::{PAGE_ROWS, Stage, What, after, all_rows};
use super::model::RowKey;
use super::open::Open;
use super::problems;
use super::unlock::{Outcome, check_passcode};
use crate::api::*;
use crate::export::{self, ExportError, ExportHeader, ExportRow};
use crate::passcode::COST;
use crate::rows::{self, PlainRow, Rows};
use alloc::{string::String, vec::Vec};
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

    pub(super) fn on_export_rows(&mut self, found: Vec<Row>) {
        let (Some(open), Some(mut step)) = (&self.open, self.entry.step.take()) else {
            return;
        };
        let What::ExportRows {
            key,
            salt,
            table,
            rows: entries,
        } = &mut step.what
        else {
            return;
        };
        for row in &found {
            if let Ok(PlainRow { key, value }) = open.rows.open(*table, &row.key, &row.value) {
                entries.push(ExportRow {
                    table: *table,
                    key,
                    value,
                });
            }
        }
        let size: usize = entries.iter().map(|e| e.key.len() + e.value.len()).sum();
        if size > export::EXPORT_MAX {
            return self.cx.failed(step.request, problems::export_too_large());
        }
        let next = match (found.len() == PAGE_ROWS as usize, *table) {
            (true, table) => found.last().map(|row| (table, after(&row.key))),
            (false, rows::STATE) => Some((rows::MESSAGES, Vec::new())),
            _ => None,
        };
        if let Some((next, from)) = next {
            *table = next;
            step.token = self.cx.load(all_rows(next, from));
            self.entry.step = Some(step);
            return;
        }
        let header = ExportHeader {
            cost: COST,
            salt: *salt,
        };
        match export::seal_export(entries, &header, key, &mut self.cx.rng) {
            Ok(file) => {
                self.cx.done(
                    step.request,
                    Some(Answer::File {
                        file: BASE64.encode(&file),
                    }),
                );
            }
            Err(_) => self.cx.failed(step.request, problems::export_too_large()),
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
