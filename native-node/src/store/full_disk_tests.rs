//! A file system that is really full.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use super::tests::{Opened, TABLE, open};
use super::*;
use crate::scratch::Scratch;
use shared::io::Change;
use std::process::Command;

/// A file system of 8 MiB, in memory.
struct Small(Scratch);

impl Small {
    /// `None`, with the reason printed, where this process may not mount one.
    fn mount() -> Option<Self> {
        let dir = Scratch::new("full").unwrap();
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", "size=8m", "tmpfs"]);
        match mount.arg(dir.path()).output() {
            Ok(output) if output.status.success() => Some(Self(dir)),
            other => {
                println!("skipped: a file system cannot be mounted here: {other:?}");
                None
            }
        }
    }

    fn path(&self) -> &Path {
        self.0.path()
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(self.path()).status();
    }
}

fn key(number: u32) -> Vec<u8> {
    number.to_be_bytes().to_vec()
}

fn batch(numbers: std::ops::Range<u32>) -> Batch {
    let put = |number| Change::Put {
        table: TABLE,
        key: key(number),
        value: vec![7; 16_384],
    };
    Batch {
        durable: true,
        changes: numbers.map(put).collect(),
    }
}

impl Opened {
    fn put(&self, number: u32) -> Result<(), StoreError> {
        let token = self.token();
        let batch = batch(number..number + 1);
        self.store.request(StoreRequest::Save { token, batch });
        match self.answers.recv().unwrap() {
            StoreAnswer::Saved { token: saved } if saved == token => Ok(()),
            StoreAnswer::Failed { error, .. } => Err(error),
            other => panic!("{other:?}"),
        }
    }

    fn keys(&self) -> Vec<Vec<u8>> {
        let query = Query::Range {
            table: TABLE,
            from: Vec::new(),
            to: None,
            limit: 10_000,
        };
        self.load(query).into_iter().map(|row| row.key).collect()
    }
}

#[test]
fn a_full_disk_refuses_and_takes_again_when_there_is_room() {
    let Some(small) = Small::mount() else { return };
    let (path, ballast) = (small.path().join("s"), small.path().join("ballast"));
    std::fs::write(&ballast, vec![1; 4 << 20]).unwrap();
    let store = open(&path).unwrap();
    let mut stored = Vec::new();
    let mut number = 0;
    let fill = |stored: &mut Vec<Vec<u8>>, number: &mut u32| {
        let mut refused = 0;
        while refused < 5 {
            *number += 1;
            assert!(*number < 10_000, "the disk is never full");
            match store.put(*number) {
                Ok(()) => stored.push(key(*number)),
                Err(error) => {
                    assert_eq!(error, StoreError::Full);
                    refused += 1;
                }
            }
        }
    };
    fill(&mut stored, &mut number);
    assert!(stored.len() > 10);
    // What is there can be read meanwhile.
    assert_eq!(store.keys(), stored);

    std::fs::remove_file(&ballast).unwrap();
    let before = stored.len();
    // After a failure saves rest a little.
    for _ in 0..600 {
        number += 1;
        if store.put(number).is_ok() {
            stored.push(key(number));
            break;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    fill(&mut stored, &mut number);
    assert!(stored.len() > before + 10, "{} of {before}", stored.len());
    assert_eq!(store.keys(), stored);
    drop(store);
    assert_eq!(open(&path).unwrap().keys(), stored);
}

#[test]
fn batches_that_wait_together_are_refused_as_full_too() {
    let Some(small) = Small::mount() else { return };
    let store = open(&small.path().join("s")).unwrap();
    let tokens: Vec<Token> = (0..64).map(|_| store.token()).collect();
    for (number, token) in (0..).step_by(16).zip(&tokens) {
        let (token, batch) = (*token, batch(number..number + 16));
        store.store.request(StoreRequest::Save { token, batch });
    }
    let mut stored = 0;
    for token in &tokens {
        match store.answers.recv().unwrap() {
            StoreAnswer::Saved { token: saved } if saved == *token => stored += 1,
            StoreAnswer::Failed {
                token: failed,
                error,
            } if failed == *token => {
                assert_eq!(error, StoreError::Full);
            }
            other => panic!("{other:?}"),
        }
    }
    assert!(stored < 64, "16 MiB on 8 MiB");
    assert_eq!(store.keys().len(), 16 * stored);
}
