//! Exports for the benchmark of expected tags: sessions with many contacts are made once, as they
//! lie in the store; then all that is expected of them is made, as it is when an account is opened
//! and whenever a day begins.

use account::epoch_keys::{ContactKeys, EpochKeys};
use account::identity::Certificate;
use account::sealed::{Sender, locator};
use account::session::{Draft, Lead, LeadTable, Session, SharedSession};
use shared::crypto::{PublicKey, Rng, SigningKey};
use shared::time::{epoch, hour};
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::RefCell;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

const NOW: u64 = 20_000 * 86_400_000 + 43_200_000;

/// The system's, with bytes counted.
struct Counting;

static LIVE: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);

unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let live = LIVE.fetch_add(layout.size(), Relaxed) + layout.size();
        PEAK.fetch_max(live, Relaxed);
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        LIVE.fetch_sub(layout.size(), Relaxed);
        unsafe { System.dealloc(at, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

struct All {
    stored: Vec<([u8; 32], Vec<u8>)>,
    sessions: Vec<Session>,
    table: LeadTable,
}

thread_local!(static ALL: RefCell<Option<All>> = const { RefCell::new(None) });

/// What another device would tell of a session: a pair, and so many devices of theirs, all of which
/// have sent so many openers today.
fn told(pair: (&[u8; 8], &[u8; 32]), devices: &[PublicKey], openers: u32) -> SharedSession {
    let mut out = Vec::new();
    let mut e = minicbor::Encoder::new(&mut out);
    let today = epoch(NOW);
    (|| {
        e.map(3)?.u8(0)?.array(2)?.u32(0)?.u8(0)?;
        e.u8(1)?.array(devices.len() as u64)?;
        for (slot, device) in devices.iter().enumerate() {
            e.array(3)?
                .u8(slot as u8)?
                .bytes(device.as_bytes())?
                .u64(NOW)?;
        }
        e.u8(2)?.array(1)?.array(9)?.bytes(pair.0)?;
        e.u32(today - 3)?.u32(today - 3)?.bytes(pair.1)?;
        e.bool(true)?
            .bool(false)?
            .bool(false)?
            .u64(NOW)?
            .array(devices.len() as u64)?;
        for slot in 0..devices.len() {
            e.array(3)?.u8(slot as u8)?.u32(today)?.u32(openers)?;
        }
        Ok::<_, minicbor::encode::Error<core::convert::Infallible>>(())
    })()
    .unwrap();
    minicbor::decode(&out).unwrap()
}

/// A session with somebody new, who has begun a chain: so it lies in the store.
fn stored(me: &SigningKey, own: &EpochKeys, devices: u32, rng: &mut Rng) -> ([u8; 32], Vec<u8>) {
    let (account, device) = (SigningKey::draw(rng), SigningKey::draw(rng));
    let (me, them) = (me.public(), account.public());
    let mut all = vec![device.public()];
    all.resize_with(devices as usize, || SigningKey::draw(rng).public());
    let (id, rz) = (rng.array(), rng.array());
    let mut theirs = Session::shared(them, me, told((&id, &rz), &[me], 0)).unwrap();
    let mut mine = Session::shared(me, them, told((&id, &rz), &all, 5)).unwrap();
    theirs.on_epoch(epoch(NOW), NOW);
    mine.on_epoch(epoch(NOW), NOW);
    let mut keys = ContactKeys::new([0; 32]);
    keys.learn(&own.notice(epoch(NOW), 1).unwrap(), NOW, epoch(NOW));
    let certificate = Certificate::issue(&account, 0, device.public(), hour(NOW)).to_bytes();
    let from = Sender {
        account: them,
        device: &device,
        certificate: &certificate,
        network: 1,
        effort: 0,
        now: NOW,
    };
    let mut his = EpochKeys::new();
    his.ensure(epoch(NOW), 0, rng);
    let draft = Draft {
        text: Some("hello".into()),
        ..Draft::default()
    };
    let sent = theirs
        .seal_message(&draft, &keys, &from, &his, rng)
        .unwrap();
    let wanted = locator(&sent.sealed.header.tag);
    let (_, slot) = mine.expected().find(|(at, _)| *at == wanted).unwrap();
    mine.open(&slot, &sent.sealed.header, &sent.sealed.body, own)
        .unwrap();
    (*them.as_bytes(), mine.encode())
}

/// Makes so many contacts of so many devices, and reads them from what is stored of them.
#[unsafe(no_mangle)]
pub extern "C" fn prepare(contacts: u32, devices: u32) {
    let mut rng = Rng::new([7; 32]);
    let me = SigningKey::draw(&mut rng);
    let mut own = EpochKeys::new();
    own.ensure(epoch(NOW), 0, &mut rng);
    let stored = (0..contacts)
        .map(|_| stored(&me, &own, devices, &mut rng))
        .collect();
    let table = LeadTable::new(rng.array());
    let all = All {
        stored,
        sessions: Vec::new(),
        table,
    };
    ALL.set(Some(all));
    load();
}

/// Everything is forgotten but what is stored, and read again.
#[unsafe(no_mangle)]
pub extern "C" fn load() {
    ALL.with_borrow_mut(|all| {
        let all = all.as_mut().unwrap();
        all.sessions = Vec::new();
        all.table = LeadTable::new([9; 16]);
        let read = |(_, bytes): &([u8; 32], Vec<u8>)| Session::decode(bytes).unwrap();
        all.sessions = all.stored.iter().map(read).collect();
    });
}

/// Makes the table, as of a day so many after the present one; how many tags are expected.
#[unsafe(no_mangle)]
pub extern "C" fn build(days: u32) -> u32 {
    ALL.with_borrow_mut(|all| {
        let all = all.as_mut().unwrap();
        for ((who, _), session) in all.stored.iter().zip(&mut all.sessions) {
            session.on_epoch(epoch(NOW) + days, NOW);
            let changes = session.take_changes();
            for locator in changes.removed {
                all.table.remove(&locator);
            }
            for (locator, _) in changes.added {
                let (kind, of, n) = (3, *who, 0);
                all.table.insert(locator, Lead { kind, of, n });
            }
        }
        all.table.len() as u32
    })
}

/// Bytes that are allocated now.
#[unsafe(no_mangle)]
pub extern "C" fn live() -> u32 {
    LIVE.load(Relaxed) as u32
}

/// The most that were since this was last asked.
#[unsafe(no_mangle)]
pub extern "C" fn peak() -> u32 {
    PEAK.swap(LIVE.load(Relaxed), Relaxed) as u32
}
