#![allow(clippy::unwrap_used, clippy::expect_used)]
use super::*;
use crate::passcode::COST;
use alloc::vec;

const HEADER: ExportHeader = ExportHeader {
    cost: COST,
    salt: [7; 16],
};

fn row(table: Table, key: &[u8], value: Vec<u8>) -> ExportRow {
    ExportRow {
        table,
        key: key.to_vec(),
        value: Zeroizing::new(value),
    }
}

fn rows() -> Vec<ExportRow> {
    let mut rng = Rng::new([3; 32]);
    let mut rows = vec![
        row(STATE, b"profile", b"name".to_vec()),
        row(OBJECTS, b"", vec![]),
    ];
    for at in 0..40u32 {
        let mut value = vec![0; rng.below(3_000) as usize];
        rng.fill(&mut value);
        rows.push(row(MESSAGES, &at.to_le_bytes(), value));
    }
    rows
}

fn derived() -> Key {
    Key::new([1; 32])
}

fn sealed(rows: &[ExportRow]) -> Vec<u8> {
    seal_export(rows, &HEADER, &derived(), &mut Rng::new([4; 32])).unwrap()
}

#[test]
fn round_trip() {
    for rows in [
        vec![],
        rows(),
        vec![row(STATE, &[1; 255], vec![2; ROW_VALUE_MAX])],
    ] {
        let file = sealed(&rows);
        assert_eq!((file.len() - 59) % SEALED_CHUNK, 0);
        assert_eq!(ExportHeader::read(&file), Ok(HEADER));
        assert_eq!(open_export(&file, &derived()), Ok(rows));
    }
}

#[test]
fn a_chunk_filled_to_the_last_byte() {
    let rows = vec![row(STATE, b"k", vec![5; CHUNK - ROW_HEAD - 1])];
    let file = sealed(&rows);
    assert_eq!(file.len(), 59 + SEALED_CHUNK);
    assert_eq!(open_export(&file, &derived()), Ok(rows));
}

#[test]
fn each_mistake_has_its_error() {
    let file = sealed(&rows());
    let open = |file: &[u8]| open_export(file, &derived());
    assert_eq!(open(b""), Err(ExportError::NotAnExport));
    assert_eq!(
        open(b"%PDF-1.4 and more of it"),
        Err(ExportError::NotAnExport)
    );
    assert_eq!(open(MAGIC), Err(ExportError::Damaged));
    assert_eq!(
        open_export(&file, &Key::new([2; 32])),
        Err(ExportError::WrongPassphrase)
    );
    let mut newer = file.clone();
    newer[14] = 2;
    assert_eq!(open(&newer), Err(ExportError::NewerVersion));
    let mut huge = file.clone();
    huge.resize(EXPORT_MAX + 1, 0);
    assert_eq!(open(&huge), Err(ExportError::TooLarge));
    for cost in [u32::MAX, 8] {
        let mut changed = file.clone();
        changed[15..19].copy_from_slice(&cost.to_le_bytes());
        assert_eq!(ExportHeader::read(&changed), Err(ExportError::Damaged));
    }
}

#[test]
fn cut_reordered_and_doubled_chunks_are_noticed() {
    let file = sealed(&rows());
    let chunks: Vec<&[u8]> = file[59..].chunks(SEALED_CHUNK).collect();
    assert!(chunks.len() >= 3);
    let with = |order: &[usize]| {
        let mut changed = file[..59].to_vec();
        order
            .iter()
            .for_each(|&at| changed.extend_from_slice(chunks[at]));
        open_export(&changed, &derived())
    };
    let all: Vec<usize> = (0..chunks.len()).collect();
    assert!(with(&all).is_ok());
    assert_eq!(with(&[]), Err(ExportError::Damaged));
    for cut in 1..all.len() {
        assert_eq!(with(&all[..cut]), Err(ExportError::Damaged));
        assert_eq!(with(&all[cut..]), Err(ExportError::Damaged));
    }
    let mut swapped = all.clone();
    swapped.swap(0, 1);
    assert_eq!(with(&swapped), Err(ExportError::Damaged));
    let mut doubled = all.clone();
    doubled.push(all.len() - 1);
    assert_eq!(with(&doubled), Err(ExportError::Damaged));
    for len in [0, 14, 15, 43, 58, 59, 60, 5_000, file.len() - 1] {
        assert!(open_export(&file[..len], &derived()).is_err());
    }
}

#[test]
fn any_change_is_noticed() {
    let file = sealed(&rows()[..3]);
    let mut rng = Rng::new([5; 32]);
    let places = (0..59).chain((0..60).map(|_| 59 + rng.below(file.len() as u64 - 59) as usize));
    for at in places.collect::<Vec<_>>() {
        let mut changed = file.clone();
        changed[at] ^= 0x10;
        assert!(open_export(&changed, &derived()).is_err(), "byte {at}");
    }
}

#[test]
fn what_is_inside_is_judged_too() {
    let damaged = Err(ExportError::Damaged);
    assert_eq!(parse(&[]), Ok(vec![]));
    assert_eq!(parse(&[0, 0, 0]), Ok(vec![]));
    assert_eq!(parse(&[0, 0, 1]), damaged);
    assert_eq!(parse(&[4, 0, 0, 0, 0, 0]), damaged);
    assert_eq!(parse(&[1, 9, 0, 0, 0, 0, 1]), damaged);
    assert_eq!(parse(&[1, 0, 255, 255, 255, 255, 1]), damaged);
    assert_eq!(parse(&[1, 0, 1, 0]), damaged);
    let mut rng = Rng::new([6; 32]);
    for _ in 0..2_000 {
        let mut text = vec![0; rng.below(60) as usize];
        rng.fill(&mut text);
        text.iter_mut().for_each(|byte| *byte %= 4);
        let _ = parse(&text);
    }
    assert_eq!(
        parse(&[1, 0, 0, 0, 0, 0].repeat(EXPORT_ROWS_MAX + 1)),
        Err(ExportError::TooLarge)
    );
}

#[test]
fn rows_out_of_bounds_are_not_exported() {
    let seal = |rows: &[ExportRow]| seal_export(rows, &HEADER, &derived(), &mut Rng::new([4; 32]));
    assert_eq!(
        seal(&[row(Table(0), b"k", vec![])]),
        Err(SealExportError::Row)
    );
    assert_eq!(
        seal(&[row(STATE, &[0; 256], vec![])]),
        Err(SealExportError::Row)
    );
    assert_eq!(
        seal(&[row(STATE, b"k", vec![0; ROW_VALUE_MAX + 1])]),
        Err(SealExportError::Row)
    );
    let big = vec![row(STATE, b"k", vec![0; ROW_VALUE_MAX]); 257];
    assert_eq!(seal(&big), Err(SealExportError::TooLarge));
}
