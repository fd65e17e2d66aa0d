//! Headers of objects that others keep, and their bodies, borrowed for an answer.
use super::ranges::{OBJECT, REFUSED, STORED, envelope_at, narrow, sibling};
use super::*;
use crate::crypto::Rng;
use alloc::vec;

fn bucket() -> u32 {
    index::bucket_of(START.unix * 1000)
}

fn get(request: u32) -> Vec<u8> {
    let (bucket, bits, prefix) = (bucket(), 0, 0);
    let get = Frame::Get {
        bucket,
        bits,
        prefix,
    };
    get.encode(request)
}

impl World {
    fn told(&mut self, link: u64, objects: &[Object]) {
        let headers: Vec<[u8; 72]> = objects.iter().map(|(header, _)| header.encode()).collect();
        self.message(link, &Frame::Have { headers: &headers }.encode(0));
    }

    fn pushed(&mut self, link: u64, (header, body): &Object) {
        let header = &header.encode();
        self.message(link, &Frame::Push { header, body }.encode(0));
    }

    fn client_from(&mut self, link: u64, network: u64) {
        self.up_from(link, from(network));
        self.message(link, &client(link).hello());
        self.frames(link);
    }

    fn wants(&mut self, link: u64) -> usize {
        let frames = self.frames(link);
        frames.iter().filter(|frame| frame[0] == 0x0a).count()
    }
}

/// Headers are told by who keeps the objects, or one in a small place could fill them all.
#[test]
fn a_header_counts_only_from_who_keeps_the_object() {
    let mut world = narrow(6);
    let own = world.relay.range();
    let [one, other] = [0, 1].map(|n| own.siblings(4).nth(n).unwrap());
    world.keeper(1, 6, one);
    let [theirs, not] = [one, other].map(|range| envelope_at(1, range.prefix()));
    world.told(1, &[theirs.clone(), not.clone()]);
    assert!(world.relay.lists(&theirs.0.id()) && !world.relay.lists(&not.0.id()));
    assert_eq!(world.relay.status().headers, 1);
}

#[test]
fn what_is_borrowed_holds_up_nothing_else() {
    let mut world = narrow(6);
    world.keeper(1, 6, sibling(&world));
    let object = envelope_at(1, sibling(&world).prefix());
    world.told(1, core::slice::from_ref(&object));
    // As many as are borrowed for, each in a network of its own; the peer lends nothing.
    for link in 100..100 + crate::limits::BORROWS_MAX as u64 {
        world.client_from(link, link);
        world.message(link, &get(1));
        assert_eq!(world.kinds(link), []);
    }
    world.client_from(300, 300);
    let (address, tag) = (world.relay.range().prefix(), [0; 16]);
    let front = envelope_at(2, address).0.front;
    let body = vec![2; 1024];
    world.put(300, 1, &(front.header(tag, &body), body));
    let scan = Frame::Find {
        bits: 32,
        prefix: u64::from(address) << 32,
    };
    world.message(300, &scan.encode(2));
    // A push to a peer is a read of the store.
    world.frames(1);
    let ids = [world
        .relay
        .index
        .each()
        .find(|(_, e)| e.held)
        .unwrap()
        .1
        .id
        .0];
    world.message(1, &Frame::Want { ids: &ids }.encode(0));
    assert!(world.frames(1).iter().any(|frame| frame[0] == 0x08));
}

#[test]
fn one_client_does_not_borrow_for_all() {
    let mut world = narrow(6);
    world.keeper(1, 6, sibling(&world));
    world.told(1, &[envelope_at(1, sibling(&world).prefix())]);
    for link in 100..164 {
        world.client_from(link, 7);
        world.message(link, &get(1));
    }
    world.frames(1);
    world.client_from(300, 8);
    world.message(300, &get(1));
    assert_eq!((world.wants(1), world.kinds(300)), (1, vec![]));
    // Who leaves gives back what they had.
    (100..164).for_each(|link| world.input(Input::LinkDown { link: LinkId(link) }));
    world.input(Input::LinkDown { link: LinkId(300) });
    assert_eq!(world.relay.status().reading, 0);
}

#[test]
fn a_header_is_forgotten_when_nobody_lends_its_body() {
    let mut world = narrow(6);
    let own = world.relay.range();
    let [one, other] = [0, 1].map(|n| own.siblings(4).nth(n).unwrap());
    world.keeper(1, 6, one);
    world.keeper(2, 6, other);
    world.keeper(3, 6, one);
    world.input(Input::LinkCongested {
        link: LinkId(3),
        congested: true,
    });
    let objects = [one, other].map(|range| envelope_at(1, range.prefix()));
    world.told(1, &objects);
    world.told(2, &objects);
    world.client(100);
    world.message(100, &get(1));
    for _ in 0..3 {
        world.advance(3_000);
    }
    assert_eq!(world.kinds(100), [REFUSED]);
    // Of one there is somebody left to ask.
    let [one, other] = objects.map(|(header, _)| header.id());
    assert!(world.relay.lists(&one) && !world.relay.lists(&other));
}

#[test]
fn an_answer_is_not_cut_short_by_a_late_store() {
    let mut world = narrow(6);
    world.keeper(1, 6, sibling(&world));
    // Somebody who is not asked: the header stays.
    world.keeper(2, 6, sibling(&world));
    world.input(Input::LinkCongested {
        link: LinkId(2),
        congested: true,
    });
    let lent = envelope_at(1, sibling(&world).prefix());
    world.told(1, core::slice::from_ref(&lent));
    world.client(100);
    let own = envelope_at(2, world.relay.range().prefix());
    assert!(is_stored(&world.put(100, 1, &own)));
    world.auto = false;
    world.message(100, &get(2));
    for _ in 0..3 {
        world.advance(3_000);
    }
    assert_eq!(world.kinds(100), [REFUSED]);
    world.message(100, &get(3));
    // The first read is done only now.
    world.do_effect();
    world.pushed(1, &lent);
    assert_eq!(world.kinds(100), []);
    while world.do_effect() {}
    assert_eq!(world.kinds(100), [OBJECT, OBJECT, 0x24]);
}

#[test]
fn what_is_lent_is_kept_too_where_it_belongs() {
    let mut world = narrow(6);
    let range = sibling(&world);
    world.keeper(1, 6, range);
    let object = envelope_at(1, range.prefix());
    world.told(1, core::slice::from_ref(&object));
    // The range moves.
    world.relay.peers.swarm.range = range;
    world.client(100);
    world.message(100, &get(1));
    world.pushed(1, &object);
    assert_eq!(world.kinds(100), [OBJECT, 0x24]);
    assert!(world.relay.stores(&object.0.id()));
}

#[test]
fn the_row_of_what_is_being_saved_is_not_deleted_with_its_header() {
    let mut world = narrow(6);
    let range = sibling(&world);
    world.keeper(1, 6, range);
    world.keeper(2, 6, range);
    let object = envelope_at(1, range.prefix());
    world.told(1, core::slice::from_ref(&object));
    world.relay.peers.swarm.range = range;
    world.client(100);
    world.client(101);
    world.message(100, &get(1));
    world.auto = false;
    for _ in 0..2 {
        world.advance(3_000);
    }
    world.put_far(101, 1, &object);
    world.advance(3_000);
    assert!(world.kinds(100).contains(&REFUSED));
    while world.do_effect() {}
    assert_eq!(world.kinds(101), [STORED]);
    assert!(world.relay.stores(&object.0.id()));
    assert_eq!((world.disk.rows(HEADS), world.disk.rows(BODIES)), (1, 1));
    let again = World::new(config(), world.disk);
    assert!(again.relay.stores(&object.0.id()));
}

#[test]
fn what_comes_back_after_a_failed_save_is_held() {
    let mut world = narrow(6);
    world.relay.config.store_objects_max = 1;
    let range = world.relay.range();
    let moved = sibling(&world);
    world.keeper(1, 6, range);
    world.client(100);
    let old = envelope_at(1, range.prefix());
    assert!(is_stored(&world.put(100, 1, &old)));
    world.relay.config.store_objects_max = 1;
    world.auto = false;
    let mut front = old.0.front;
    front.effort = 3;
    let body = vec![3; 1024];
    world.put_far(100, 2, &(front.header([3; 16], &body), body));
    assert!(!world.relay.stores(&old.0.id()));
    // Meanwhile the range moves, and a peer tells the header.
    world.relay.config.store_objects_max = 100;
    world.relay.peers.swarm.range = moved;
    world.told(1, core::slice::from_ref(&old));
    world.fail_effect(StoreError::Unavailable);
    while world.do_effect() {}
    assert!(world.relay.stores(&old.0.id()));
    let again = World::new(config(), world.disk);
    assert!(again.relay.stores(&old.0.id()));
}

#[test]
fn a_store_that_is_made_smaller_keeps_its_bodies_first() {
    let mut world = narrow(6);
    let range = sibling(&world);
    world.keeper(1, 6, range);
    world.client(100);
    let address = world.relay.range().prefix();
    let headers: Vec<Object> = (0..10).map(|n| envelope_at(n, range.prefix())).collect();
    world.told(1, &headers);
    (1..=10).for_each(|n| {
        world.put(100, n, &envelope_at(n.into(), address));
    });
    let mut smaller = config();
    smaller.store_objects_max = 12;
    let again = World::new(smaller, world.disk);
    let status = again.relay.status();
    assert_eq!((status.objects, status.headers), (12, 6));
    // Counters are those of a relay that never had more.
    assert_eq!(status.bytes, 12 * 72 + 6 * 1024);
    let rows = (again.disk.rows(HEADS), again.disk.rows(BODIES));
    assert_eq!(rows, (12, 6));
}

/// Counters and indexes against a list that is looked through.
#[test]
fn the_index_counts_right_whatever_comes_and_goes() {
    let mut rng = Rng::new([5; 32]);
    let mut index = Index::default();
    let mut model: BTreeMap<u64, index::Entry> = BTreeMap::new();
    let mut gone: Vec<(u64, index::Entry)> = Vec::new();
    let hour = crate::time::hour(START.unix);
    let mut arrival = START.unix * 1000;
    for n in 0..4_000u64 {
        let drawn = rng.below(model.len().max(1) as u64) as usize;
        let any = model.iter().nth(drawn).map(|(at, entry)| (*at, *entry));
        match rng.below(8) {
            0..=2 => {
                arrival += rng.below(1_200_000_000);
                let (mut header, _) = envelope_of(n, rng.below(4) as u8, SizeClass::KIB_1);
                header.front.expiry = hour + 1 + rng.below(40) as u32;
                let held = index::Entry::new(&header, 0);
                let entry = if rng.below(2) == 0 {
                    held
                } else {
                    index::Entry::unheld(&header)
                };
                assert_eq!(index.insert(arrival, entry), (true, None));
                // Neither an id nor an arrival twice.
                assert_eq!(index.insert(arrival + 1, entry), (false, None));
                model.insert(arrival, entry);
            }
            3 => {
                if let Some((at, _)) = any {
                    index.hold(at);
                    model.get_mut(&at).unwrap().held = true;
                }
            }
            4 => {
                if let Some((at, entry)) = any {
                    assert_eq!(index.remove(at), Some(entry));
                    assert_eq!(index.remove(at), None);
                    // The body of what is gone comes.
                    index.hold(at);
                    model.remove(&at);
                    gone.push((at, entry));
                }
            }
            5 => {
                // A save failed: what gave way is back at its place.
                if let Some((at, entry)) = gone.pop() {
                    assert_eq!(index.insert(at, entry), (true, None));
                    model.insert(at, entry);
                }
            }
            6 if n % 16 == 0 => {
                let at = hour + rng.below(20) as u32;
                let old = index::bucket_of(arrival).saturating_sub(rng.below(40) as u32);
                let before = model.len();
                model.retain(|_, entry| entry.expiry > at);
                assert_eq!(index.expire(at, old), (before - model.len()) as u64);
            }
            _ => {}
        }
        let bytes: u64 = model.values().map(index::Entry::bytes).sum();
        let unheld = model.values().filter(|entry| !entry.held).count();
        assert_eq!((index.len(), index.bytes()), (model.len() as u64, bytes));
        assert_eq!(index.unheld(), unheld);
        assert_eq!(index.headers().count(), unheld);
        assert_eq!(index.least().count(), model.len() - unheld);
        assert!(index.least().all(|(_, entry)| entry.held));
    }
    let each: BTreeMap<u64, index::Entry> = index.each().map(|(at, e)| (at, *e)).collect();
    assert_eq!(each, model);
    index.expire(u32::MAX, u32::MAX);
    assert_eq!((index.len(), index.bytes(), index.dead()), (0, 0, 0));
    assert_eq!((index.unheld(), index.records_len()), (0, 0));
}
