#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use super::*;
use crate::scratch::Scratch;
use shared::io::{Change, Table};

pub const TABLE: Table = Table(3);

pub struct Opened {
    pub store: Store,
    pub answers: mpsc::Receiver<StoreAnswer>,
    next: std::cell::Cell<u64>,
}

pub fn open(path: &Path) -> Result<Opened, OpenError> {
    let (sender, answers) = mpsc::channel();
    let store = Store::open(path, move |answer| {
        let _ = sender.send(answer);
    })?;
    Ok(Opened {
        store,
        answers,
        next: std::cell::Cell::new(0),
    })
}

impl Opened {
    pub fn token(&self) -> Token {
        self.next.set(self.next.get() + 1);
        Token(self.next.get())
    }

    fn ask_save(&self, durable: bool, changes: Vec<Change>) -> Token {
        let token = self.token();
        let batch = Batch { durable, changes };
        self.store.request(StoreRequest::Save { token, batch });
        token
    }

    fn save(&self, durable: bool, changes: Vec<Change>) {
        let asked = self.ask_save(durable, changes);
        match self.answers.recv().unwrap() {
            StoreAnswer::Saved { token } => assert_eq!(token, asked),
            other => panic!("{other:?}"),
        }
    }

    pub fn load(&self, query: Query) -> Vec<Row> {
        let asked = self.token();
        let token = asked;
        self.store.request(StoreRequest::Load { token, query });
        match self.answers.recv().unwrap() {
            StoreAnswer::Loaded { token, rows } => {
                assert_eq!(token, asked);
                rows
            }
            other => panic!("{other:?}"),
        }
    }

    fn all(&self) -> Vec<(String, String)> {
        let rows = self.load(range(b"", None, 1_000));
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        rows.into_iter()
            .map(|row| (text(row.key), text(row.value)))
            .collect()
    }
}

fn put(key: &str, value: &str) -> Change {
    Change::Put {
        table: TABLE,
        key: key.into(),
        value: value.into(),
    }
}

fn delete(key: &str) -> Change {
    Change::Delete {
        table: TABLE,
        key: key.into(),
    }
}

fn range(from: &[u8], to: Option<&[u8]>, limit: u32) -> Query {
    Query::Range {
        table: TABLE,
        from: from.to_vec(),
        to: to.map(<[u8]>::to_vec),
        limit,
    }
}

fn pairs(expected: &[(&str, &str)]) -> Vec<(String, String)> {
    let owned = |(key, value): &(&str, &str)| ((*key).to_owned(), (*value).to_owned());
    expected.iter().map(owned).collect()
}

#[test]
fn a_walk_over_a_large_table_sees_each_row_once_and_what_is_written_meanwhile() {
    let dir = Scratch::new("store").unwrap();
    let path = dir.path().join("s");
    let store = open(&path).unwrap();
    let key = |n: u32| format!("{n:06}");
    let rows = |range: std::ops::Range<u32>| range.map(|n| put(&key(n), "value")).collect();
    store.save(true, rows(0..30_000));
    let mut from = Vec::new();
    let mut seen = Vec::new();
    loop {
        let rows = store.load(range(&from, None, 1_024));
        let Some(last) = rows.last() else { break };
        from = [&last.key[..], &[0]].concat();
        seen.extend(
            rows.into_iter()
                .map(|row| String::from_utf8(row.key).unwrap()),
        );
        // Behind the walk, and before it.
        let behind = delete(&seen[seen.len() - 1]);
        store.save(false, vec![behind, put("030000", "new")]);
    }
    let expected: Vec<String> = (0..=30_000).map(key).collect();
    assert_eq!(seen, expected);
    // Begun, and then the table is gone, and the store is closed in the middle of it.
    assert_eq!(store.load(range(b"", None, 1_024)).len(), 1_024);
    let token = store.token();
    store.store.request(StoreRequest::Erase { token });
    assert!(matches!(
        store.answers.recv().unwrap(),
        StoreAnswer::Saved { .. }
    ));
    assert_eq!(store.load(range(b"", None, 1_024)), []);
    store.save(true, rows(0..30_000));
    assert_eq!(store.load(range(b"", None, 1_024)).len(), 1_024);
    drop(store);
    assert_eq!(
        open(&path).unwrap().load(range(b"", None, 30_001)).len(),
        30_000
    );
}

#[test]
fn reads_are_in_order_and_bounded() {
    let dir = Scratch::new("store").unwrap();
    let store = open(&dir.path().join("s")).unwrap();
    assert_eq!(store.all(), []);
    store.save(
        true,
        vec![put("b", "2"), put("a", "1"), put("d", "4"), put("c", "3")],
    );
    let keys =
        |query| -> Vec<Vec<u8>> { store.load(query).into_iter().map(|row| row.key).collect() };
    assert_eq!(keys(range(b"b", Some(b"d"), 10)), [b"b", b"c"]);
    assert_eq!(keys(range(b"b", None, 2)), [b"b", b"c"]);
    assert!(keys(range(b"d", Some(b"b"), 10)).is_empty());
    assert!(keys(range(b"", None, 0)).is_empty());
    let wanted = vec![b"d".to_vec(), b"x".to_vec(), b"a".to_vec()];
    let query = Query::Keys {
        table: TABLE,
        keys: wanted,
    };
    assert_eq!(keys(query), [b"a", b"d"]);
    let other = Query::Range {
        table: Table(4),
        from: vec![],
        to: None,
        limit: 10,
    };
    assert!(keys(other).is_empty());
}

#[test]
fn batches_are_applied_in_their_order() {
    let dir = Scratch::new("store").unwrap();
    let store = open(&dir.path().join("s")).unwrap();
    let below = Change::DeleteBelow {
        table: TABLE,
        to: b"k5".to_vec(),
    };
    let mut asked = Vec::new();
    for i in 0..10 {
        asked.push(store.ask_save(
            i % 3 == 0,
            vec![put(&format!("k{i}"), "old"), put("last", &i.to_string())],
        ));
    }
    asked.push(store.ask_save(false, vec![below, put("k1", "new")]));
    asked.push(store.ask_save(true, vec![delete("k9"), put("k9", "again"), delete("k8")]));
    for expected in asked {
        match store.answers.recv().unwrap() {
            StoreAnswer::Saved { token } => assert_eq!(token, expected),
            other => panic!("{other:?}"),
        }
    }
    let expected = [
        ("k1", "new"),
        ("k5", "old"),
        ("k6", "old"),
        ("k7", "old"),
        ("k9", "again"),
        ("last", "9"),
    ];
    assert_eq!(store.all(), pairs(&expected));
}

#[test]
fn what_was_answered_as_durable_survives_a_kill() {
    let dir = Scratch::new("store").unwrap();
    let (path, copy) = (dir.path().join("s"), dir.path().join("copy"));
    let store = open(&path).unwrap();
    store.save(true, vec![put("a", "1")]);
    store.save(false, vec![put("b", "2")]);
    store.save(true, vec![put("c", "3")]);
    // The file as a kill at this moment would leave it: nothing was closed.
    std::fs::copy(&path, &copy).unwrap();
    let killed = open(&copy).unwrap();
    assert_eq!(killed.all(), pairs(&[("a", "1"), ("b", "2"), ("c", "3")]));
    killed.save(true, vec![put("d", "4")]);
}

#[test]
fn closing_keeps_what_was_asked_before() {
    let dir = Scratch::new("store").unwrap();
    let path = dir.path().join("s");
    let store = open(&path).unwrap();
    for i in 0..50 {
        store.ask_save(false, vec![put(&format!("{i:02}"), "x")]);
    }
    drop(store);
    assert_eq!(open(&path).unwrap().all().len(), 50);
}

#[test]
fn a_second_one_is_refused_and_what_is_not_a_store_is_left_alone() {
    let dir = Scratch::new("store").unwrap();
    let path = dir.path().join("s");
    let store = open(&path).unwrap();
    let refused = |path: &Path| open(path).err().unwrap();
    assert!(matches!(refused(&path), OpenError::InUse));
    drop(store);
    let other = dir.path().join("other");
    std::fs::write(
        &other,
        "not a store, but long enough to look like something".repeat(100),
    )
    .unwrap();
    let before = std::fs::read(&other).unwrap();
    assert!(matches!(refused(&other), OpenError::Damaged(_)));
    assert!(!refused(&other).to_string().contains("space"));
    assert_eq!(std::fs::read(&other).unwrap(), before);
    assert!(matches!(
        refused(&dir.path().join("no/where")),
        OpenError::Disk(_)
    ));
}

#[test]
fn erasing_leaves_no_rows() {
    let dir = Scratch::new("store").unwrap();
    let path = dir.path().join("s");
    let store = open(&path).unwrap();
    store.save(true, vec![put("a", "1")]);
    let token = store.token();
    store.store.request(StoreRequest::Erase { token });
    assert!(matches!(store.answers.recv().unwrap(), StoreAnswer::Saved { token: t } if t == token));
    assert_eq!(store.all(), []);
    store.save(true, vec![put("b", "2")]);
    drop(store);
    assert_eq!(open(&path).unwrap().all(), pairs(&[("b", "2")]));
}

#[test]
fn a_first_start_that_was_interrupted_is_begun_again() {
    let dir = Scratch::new("store").unwrap();
    let path = dir.path().join("s");
    // redb sets the length first and writes what makes it a database last.
    let halves = [
        (dir.path().join("s.new"), vec![0; 1 << 20]),
        (path.clone(), vec![]),
    ];
    for (half, bytes) in halves {
        std::fs::write(&half, bytes).unwrap();
        let store = open(&path).unwrap();
        store.save(true, vec![put("a", "1")]);
        drop(store);
        assert_eq!(open(&path).unwrap().all(), pairs(&[("a", "1")]));
        assert!(!dir.path().join("s.new").exists());
        std::fs::remove_file(&path).unwrap();
    }
    // Made, and interrupted before it got its name.
    drop(open(&dir.path().join("s.new")).unwrap());
    let store = open(&path).unwrap();
    assert!(path.exists());
    assert!(matches!(open(&path).err().unwrap(), OpenError::InUse));
    drop(store);
}

#[test]
fn a_panic_of_the_database_fails_one_request() {
    let dir = Scratch::new("store").unwrap();
    let mut file = StoreFile::open(&dir.path().join("s")).unwrap();
    let batch = |durable, key| Batch {
        durable,
        changes: vec![put(key, "1")],
    };
    for (durable, key) in [(true, "a"), (false, "b")] {
        file.commit(std::iter::once(&batch(durable, key))).unwrap();
    }
    let failed = file.with::<()>(|_| panic!("as redb where a page is not what it was"));
    assert_eq!(failed, Err(StoreError::Unavailable));
    // It goes on, with what was answered, durable or not.
    let rows = file.load(&range(b"", None, 10)).unwrap();
    assert_eq!(rows.len(), 2);
    file.commit(std::iter::once(&batch(true, "c"))).unwrap();
    assert_eq!(file.load(&range(b"", None, 10)).unwrap().len(), 3);
}
