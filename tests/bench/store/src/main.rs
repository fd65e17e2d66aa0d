//! redb against fjall, with the relay's own key layout: `heads` (expiry, arrival, part of the id ->
//! header and version) and `bodies` (the same key -> 1 KiB and the header). Seven of eight objects
//! have the usual lifetime, so that they expire in the order in which they came.
//!
//! Both do the same work in turn, round by round; figures are medians, ratios are per round.
#![allow(clippy::expect_used)]

use redb::{ReadableDatabase, ReadableTable};
use std::path::{Path, PathBuf};
use std::time::Instant;

const ROUNDS: usize = 5;
const OBJECTS: usize = 40_000;
const EXPIRING_HOURS: u32 = 40;
const GETS: usize = 20_000;
const SINGLES: usize = 1_000;
const KEY: usize = 20;
const HEAD: usize = 81;

/// Key and value of both tables.
struct Object {
    key: [u8; KEY],
    head: Vec<u8>,
    body: Vec<u8>,
}

/// A small generator: the data must not compress, and must be the same for both.
struct Bytes(u64);

impl Bytes {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn fill(&mut self, len: usize) -> Vec<u8> {
        (0..len.div_ceil(8))
            .flat_map(|_| self.next().to_le_bytes())
            .take(len)
            .collect()
    }
}

fn objects(seed: u64, count: usize) -> Vec<Object> {
    let mut bytes = Bytes(seed | 1);
    (0..count)
        .map(|n| {
            let usual = n as u64 * u64::from(EXPIRING_HOURS) / count as u64;
            let other = bytes.next() % u64::from(EXPIRING_HOURS);
            let hour = if bytes.next() % 8 == 0 { other } else { usual };
            let mut key = [0; KEY];
            key[..4].copy_from_slice(&(500_000 + hour as u32).to_be_bytes());
            key[4..12].copy_from_slice(&(n as u64).to_be_bytes());
            key[12..].copy_from_slice(&bytes.fill(8));
            Object {
                key,
                head: bytes.fill(HEAD),
                body: bytes.fill(1_096),
            }
        })
        .collect()
}

trait Store {
    fn put(&self, objects: &[Object]);
    fn get(&self, key: &[u8]) -> usize;
    fn heads(&self) -> usize;
    fn expire_below(&self, key: &[u8]);
}

struct Redb(redb::Database);

const HEADS: redb::TableDefinition<&[u8], &[u8]> = redb::TableDefinition::new("heads");
const BODIES: redb::TableDefinition<&[u8], &[u8]> = redb::TableDefinition::new("bodies");

impl Store for Redb {
    fn put(&self, objects: &[Object]) {
        let write = self.0.begin_write().expect("begin");
        {
            let mut heads = write.open_table(HEADS).expect("heads");
            let mut bodies = write.open_table(BODIES).expect("bodies");
            for o in objects {
                heads.insert(&o.key[..], &o.head[..]).expect("head");
                bodies.insert(&o.key[..], &o.body[..]).expect("body");
            }
        }
        write.commit().expect("commit");
    }

    fn get(&self, key: &[u8]) -> usize {
        let read = self.0.begin_read().expect("begin");
        let bodies = read.open_table(BODIES).expect("bodies");
        bodies
            .get(key)
            .expect("get")
            .map_or(0, |value| value.value().len())
    }

    fn heads(&self) -> usize {
        let read = self.0.begin_read().expect("begin");
        let heads = read.open_table(HEADS).expect("heads");
        let all = heads.iter().expect("iter");
        all.map(|row| row.expect("row").1.value().len()).sum()
    }

    fn expire_below(&self, key: &[u8]) {
        let write = self.0.begin_write().expect("begin");
        for table in [HEADS, BODIES] {
            let mut table = write.open_table(table).expect("table");
            table.retain_in(..key, |_, _| false).expect("retain");
        }
        write.commit().expect("commit");
    }
}

struct Fjall {
    database: fjall::Database,
    heads: fjall::Keyspace,
    bodies: fjall::Keyspace,
}

impl Fjall {
    fn open(path: &Path) -> Self {
        let database = fjall::Database::builder(path).open().expect("open");
        let keyspace = |name| database.keyspace(name, fjall::KeyspaceCreateOptions::default);
        let heads = keyspace("heads").expect("heads");
        let bodies = keyspace("bodies").expect("bodies");
        Self {
            database,
            heads,
            bodies,
        }
    }

    fn commit(&self, batch: fjall::OwnedWriteBatch) {
        batch.commit().expect("commit");
        self.database
            .persist(fjall::PersistMode::SyncAll)
            .expect("sync");
    }
}

impl Store for Fjall {
    fn put(&self, objects: &[Object]) {
        let mut batch = self.database.batch();
        for o in objects {
            batch.insert(&self.heads, o.key, o.head.as_slice());
            batch.insert(&self.bodies, o.key, o.body.as_slice());
        }
        self.commit(batch);
    }

    fn get(&self, key: &[u8]) -> usize {
        self.bodies
            .get(key)
            .expect("get")
            .map_or(0, |value| value.len())
    }

    fn heads(&self) -> usize {
        self.heads
            .iter()
            .map(|row| row.value().expect("row").len())
            .sum()
    }

    fn expire_below(&self, key: &[u8]) {
        let mut batch = self.database.batch();
        for keyspace in [&self.heads, &self.bodies] {
            for row in keyspace.range(..key) {
                batch.remove(keyspace, row.key().expect("key"));
            }
        }
        self.commit(batch);
    }
}

fn size(path: &Path) -> u64 {
    let Ok(meta) = std::fs::metadata(path) else {
        return 0;
    };
    if meta.is_file() {
        return meta.len();
    }
    let entries = std::fs::read_dir(path).into_iter().flatten().flatten();
    entries.map(|entry| size(&entry.path())).sum()
}

/// Figures of one round, each a rate (higher is better) but the last.
fn measure(store: &dyn Store, path: &Path, seed: u64) -> Vec<f64> {
    let objects = objects(seed, OBJECTS);
    let rate = |count: usize, from: Instant| count as f64 / from.elapsed().as_secs_f64();
    let start = Instant::now();
    objects[..SINGLES]
        .iter()
        .for_each(|o| store.put(std::slice::from_ref(o)));
    let singles = rate(SINGLES, start);
    let start = Instant::now();
    let (hundreds, thousands) = objects[SINGLES..].split_at((OBJECTS - SINGLES) / 2);
    hundreds.chunks(100).for_each(|batch| store.put(batch));
    let batches = rate(hundreds.len(), start);
    let start = Instant::now();
    thousands.chunks(1_000).for_each(|batch| store.put(batch));
    let groups = rate(thousands.len(), start);
    let start = Instant::now();
    let step = OBJECTS / GETS;
    let got: usize = objects
        .iter()
        .step_by(step)
        .map(|o| store.get(&o.key))
        .sum();
    assert_eq!(got, GETS * 1_096, "every body is there");
    let gets = rate(GETS, start);
    let start = Instant::now();
    assert_eq!(store.heads(), OBJECTS * HEAD, "every head is there");
    let scan = rate(OBJECTS, start);
    let bytes = size(path) as f64 / OBJECTS as f64;
    let start = Instant::now();
    let middle = (500_000 + EXPIRING_HOURS / 2).to_be_bytes();
    store.expire_below(&middle);
    let expired = objects.iter().filter(|o| o.key[..4] < middle[..]).count();
    let expiry = rate(expired, start);
    assert_eq!(
        store.heads(),
        (OBJECTS - expired) * HEAD,
        "what expired is gone, the rest is not"
    );
    vec![singles, batches, groups, gets, scan, expiry, bytes]
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn main() {
    let names = [
        "durable puts/s, one a commit",
        "durable puts/s, 100 a commit",
        "durable puts/s, 1,000 a commit",
        "random gets/s",
        "heads scanned/s",
        "expired/s (by range)",
        "bytes on disk an object",
    ];
    let (mut redb, mut fjall) = (Vec::new(), Vec::new());
    let folder = std::env::temp_dir().join(format!("wiremin-bench-{}", std::process::id()));
    for at in 0..ROUNDS {
        let place = |name: &str| -> PathBuf {
            let path = folder.join(format!("{name}-{at}"));
            std::fs::create_dir_all(&folder).expect("folder");
            path
        };
        let path = place("redb");
        let store = Redb(redb::Database::create(&path).expect("open"));
        redb.push(measure(&store, &path, at as u64 + 7));
        drop(store);
        let path = place("fjall");
        let store = Fjall::open(&path);
        fjall.push(measure(&store, &path, at as u64 + 7));
        drop(store);
        let _ = std::fs::remove_dir_all(&folder);
    }
    println!(
        "{:32} {:>12} {:>12} {:>12}",
        "store", "redb", "fjall", "redb/fjall"
    );
    for (i, name) in names.iter().enumerate() {
        let of = |rounds: &[Vec<f64>]| median(rounds.iter().map(|r| r[i]).collect());
        let ratio = median(redb.iter().zip(&fjall).map(|(a, b)| a[i] / b[i]).collect());
        println!(
            "{name:32} {:>12.0} {:>12.0} {ratio:>12.2}",
            of(&redb),
            of(&fjall)
        );
    }
}
