//! Rows: what is saved is what is loaded, and nothing else gets in.
use super::*;
use crate::book::Reach;

type Store = BTreeMap<Vec<u8>, Vec<u8>>;

fn save(book: &mut Book, store: &mut Store) {
    for (key, value) in book.take_changes() {
        match value {
            Some(value) => store.insert(key, value),
            // Only what is there is deleted.
            None => Some(store.remove(&key).expect("no such row")),
        };
    }
}

fn load(secret: [u8; 32], store: &Store) -> Book {
    let mut book = Book::new(secret, NETWORK);
    for (key, value) in store {
        book.load(key, value);
    }
    check(&book);
    book
}

fn same(a: &Book, b: &Book) {
    assert!(a.table.entries().eq(b.table.entries()));
    assert_eq!(a.anchors(), b.anchors());
}

/// A book of everything, busy for a while; the store follows.
fn busy(steps: u32, mut each: impl FnMut(&mut Book)) -> Book {
    let (mut book, mut rng) = (book(), Rng::new([21; 32]));
    // Few addresses and relays, so that they meet.
    let mut pool: Vec<SocketAddr> = (0..40).map(|_| random_address(&mut rng)).collect();
    pool.extend(
        [
            "127.0.0.1:1",
            "192.168.1.1:1",
            "[fe80::1%3]:9",
            "[2a00::1]:5",
        ]
        .map(at),
    );
    pool.push(at("8.8.8.8:0"));
    let any = |rng: &mut Rng| pool[rng.below(45) as usize];
    let sources = [
        Source::Person,
        Source::Lan,
        Source::Dht,
        peer("9.9.9.9"),
        peer("2a00::1"),
        peer("127.0.0.1"),
        Source::Dialler(Reach::Public),
    ];
    let mut now = NOW;
    for _ in 0..steps {
        now += rng.below(5 * MINUTE);
        let address = any(&mut rng);
        let source = sources[rng.below(7) as usize];
        let mut addresses: Vec<SocketAddr> = (0..rng.below(4)).map(|_| any(&mut rng)).collect();
        addresses.retain(|address| address.port() != 0);
        let told = relay(rng.below(25) as u32, &addresses, rng.below(1000));
        match rng.below(12) {
            0..4 => drop(book.hear(now, address, source)),
            4..7 => drop(book.learn(now, &told.descriptor, &told.raw, source)),
            7 => book.proved(now, address, &told.descriptor, &told.raw),
            8 => book.attempted(now, address),
            9 | 10 => book.failed(now, address),
            _ if rng.below(20) == 0 => book.set_own(&addresses, told.key()),
            _ => book.set_anchors(&addresses),
        }
        each(&mut book);
    }
    book
}

#[test]
fn the_store_follows_every_step() {
    let mut store = Store::new();
    let mut steps = 0;
    let book = busy(3000, |book| {
        steps += 1;
        check(book);
        if steps % 7 == 0 {
            save(book, &mut store);
        }
        if steps % 700 == 0 {
            let mut loaded = load([1; 32], &store);
            same(book, &loaded);
            assert_eq!(loaded.counts().unread, 0);
            // Loading changes nothing.
            assert!(loaded.take_changes().is_empty());
        }
    });
    let counts = book.counts();
    assert!(counts.new > 5 && counts.tried > 5, "{counts:?}");
    assert!(counts.refused.claimed > 0 && counts.refused.stale > 0);
    assert!(counts.refused.own > 0 && counts.refused.port > 0);
}

#[test]
fn another_secret_finds_the_same_relays() {
    let mut store = Store::new();
    let book = busy(1000, |book| save(book, &mut store));
    let loaded = load([99; 32], &store);
    let addresses = |book: &Book| -> Vec<SocketAddr> {
        book.table.entries().map(|(address, _)| *address).collect()
    };
    assert_eq!(addresses(&book), addresses(&loaded));
    assert_eq!(book.counts().tried, loaded.counts().tried);
}

#[test]
fn rows_that_have_no_place_any_more_are_deleted() {
    let mut store = Store::new();
    let book = busy(1000, |book| save(book, &mut store));
    let (own, entry) = book.table.entries().find(|(_, e)| e.tried).unwrap();
    let mut later = Book::new([1; 32], NETWORK);
    later.set_own(&[*own], *entry.node_key().unwrap());
    for (key, value) in &store {
        later.load(key, value);
    }
    check(&later);
    let rows = store.len();
    save(&mut later, &mut store);
    assert_eq!(store.len(), rows - 1);
    same(&later, &load([1; 32], &store));

    // More tried ones of one group than there is room for: they stay, as new ones where they can.
    let mut crowd = Store::new();
    for n in 0..300u32 {
        let address = SocketAddr::new(IpAddr::from([66, 6, (n >> 8) as u8, n as u8]), 5);
        let told = relay(n, &[address], 0);
        let mut one = Book::new([1; 32], NETWORK);
        one.proved(NOW, address, &told.descriptor, &told.raw);
        save(&mut one, &mut crowd);
    }
    let mut crowded = load([1; 32], &crowd);
    assert!(crowded.counts().tried <= 64);
    save(&mut crowded, &mut crowd);
    assert_eq!(crowd.len(), crowded.table.len());
}

#[test]
fn damaged_rows_are_counted_and_skipped() {
    let mut store = Store::new();
    let book = busy(1000, |book| save(book, &mut store));
    let mut rng = Rng::new([22; 32]);
    let mut unread = 0;
    for _ in 0..300 {
        let mut loaded = Book::new([1; 32], NETWORK);
        // One row of those with a descriptor, one of those without, and the anchors.
        for (key, value) in [
            store.iter().nth(rng.below(store.len() as u64) as usize),
            store.iter().min_by_key(|(_, value)| value.len()),
            store.first_key_value(),
        ]
        .into_iter()
        .flatten()
        {
            let (mut key, mut value) = (key.clone(), value.clone());
            match rng.below(6) {
                0 => value.truncate(rng.below(value.len() as u64) as usize),
                1 => value.push(0),
                2 => key.truncate(rng.below(key.len() as u64) as usize),
                3 => key.push(rng.u64() as u8),
                4 => {
                    let at = rng.below(key.len() as u64) as usize;
                    key[at] ^= 1 << rng.below(8);
                }
                _ => {
                    let at = rng.below(value.len().min(80) as u64) as usize;
                    value[at] ^= 1 << rng.below(8);
                }
            }
            loaded.load(&key, &value);
            check(&loaded);
        }
        unread += loaded.counts().unread;
    }
    assert!(unread > 300, "{unread}");

    // Pure noise, and rows of another network or of a later form.
    let mut loaded = Book::new([1; 32], NETWORK);
    for n in 0..20_000 {
        let mut key = alloc::vec![0; rng.below(30) as usize];
        let mut value = alloc::vec![0; rng.below(80) as usize];
        rng.fill(&mut key);
        rng.fill(&mut value);
        // Half of them begin well.
        if n % 2 == 0 {
            key.splice(..0, [[0, 4, 6][n % 3]]);
            value.splice(..0, [1, 2]);
        }
        loaded.load(&key, &value);
    }
    check(&loaded);
    let mut foreign = Book::new([1; 32], NETWORK + 1);
    let mut later = Book::new([1; 32], NETWORK);
    for (key, value) in &store {
        foreign.load(key, value);
        let mut value = value.clone();
        value[0] += 1;
        later.load(key, &value);
    }
    assert_eq!(foreign.counts().tried, 0);
    assert!(foreign.counts().unread >= book.counts().tried as u64);
    assert_eq!(later.counts().unread, store.len() as u64);
    assert!(later.take_changes().is_empty());
}
