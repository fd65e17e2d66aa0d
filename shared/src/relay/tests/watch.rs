use super::*;
use crate::limits::PUSH_RING_ENTRIES_MAX;

fn watch(world: &mut World, link: u64, whole: bool) -> ClientLink {
    let mut client = world.client(link);
    let (_, frame) = client.watch(world.now, whole).unwrap();
    assert!(client.watch(world.now, whole).is_none());
    world.message(link, &frame);
    let frames = world.frames(link);
    let bucket = crate::time::bucket(world.now.unix);
    assert_eq!(
        client.on_frame(world.now, &frames[0]),
        Ok(Reply::Lagged { bucket })
    );
    client
}

#[test]
fn what_arrives_is_pushed_once_and_acknowledged_only_when_durable() {
    let mut world = World::new(config(), Disk::default());
    let mut news = watch(&mut world, 1, false);
    let mut whole = watch(&mut world, 2, true);
    world.client(3);
    world.auto = false;
    let (header, body) = envelope(1);
    let raw = &header.encode();
    let put = Frame::Put {
        header: raw,
        body: &body,
    };
    world.message(3, &put.encode(1));
    // Who watches whole objects has it at once; who watches records when it can be fetched; who
    // begins to watch while it is saved, when that is done.
    let early = world.frames(2);
    assert!(world.frames(1).is_empty() && world.frames(3).is_empty());
    let mut late = watch(&mut world, 4, true);
    world.auto = true;
    world.do_effect();
    world.settle();
    assert!(is_stored(&world.frames(3)[0]));
    assert!(is_stored(&world.put(3, 2, &envelope(1))));
    let bucket = crate::time::bucket(START.unix);
    let frames = world.frames(1);
    assert_eq!(frames.len(), 1);
    let record = crate::wire::ScanRecord::of(&header);
    assert_eq!(
        news.on_frame(START, &frames[0]),
        Ok(Reply::News { bucket, record })
    );
    assert!(world.frames(2).is_empty());
    let frames = early;
    assert_eq!(frames.len(), 1);
    let body = &body[..];
    let pushed = Reply::Pushed {
        bucket,
        header,
        body,
    };
    assert_eq!(whole.on_frame(START, &frames[0]), Ok(pushed.clone()));
    let frames = world.frames(4);
    assert_eq!(frames.len(), 1);
    assert_eq!(late.on_frame(START, &frames[0]), Ok(pushed));
}

#[test]
fn a_second_watch_is_malformed() {
    let mut world = World::new(config(), Disk::default());
    watch(&mut world, 1, false);
    world.message(1, &Frame::Watch { mode: 1 }.encode(9));
    let frames = world.frames(1);
    assert_eq!(refusal(&frames[0]).0, Refused::Malformed);
}

#[test]
fn a_congested_link_goes_on_where_it_stopped() {
    let mut world = World::new(config(), Disk::default());
    let mut client = watch(&mut world, 1, true);
    world.client(2);
    let link = LinkId(1);
    assert!(is_stored(&world.put(2, 1, &envelope(0))));
    world.input(Input::LinkCongested {
        link,
        congested: true,
    });
    for n in 1..20 {
        assert!(is_stored(&world.put(2, n as u32 + 1, &envelope(n))));
    }
    assert_eq!(world.frames(1).len(), 1);
    world.input(Input::LinkCongested {
        link,
        congested: false,
    });
    let frames = world.frames(1);
    let ids: Vec<_> = frames
        .iter()
        .map(|f| match client.on_frame(START, f) {
            Ok(Reply::Pushed { header, .. }) => header.id(),
            other => unreachable!("{other:?}"),
        })
        .collect();
    let expected: Vec<_> = (1..20).map(|n| envelope(n).0.id()).collect();
    assert_eq!(ids, expected);
}

#[test]
fn a_link_that_falls_behind_is_told_from_where() {
    let mut world = World::new(config(), Disk::default());
    let mut client = watch(&mut world, 1, false);
    world.client(2);
    let link = LinkId(1);
    world.input(Input::LinkCongested {
        link,
        congested: true,
    });
    let many = PUSH_RING_ENTRIES_MAX as u64 + 10;
    for n in 0..many {
        assert!(is_stored(&world.put(2, n as u32 + 1, &envelope(n))));
    }
    assert!(world.frames(1).is_empty());
    world.input(Input::LinkCongested {
        link,
        congested: false,
    });
    let frames = world.frames(1);
    assert_eq!(frames.len(), 1);
    let bucket = crate::time::bucket(START.unix);
    assert_eq!(
        client.on_frame(START, &frames[0]),
        Ok(Reply::Lagged { bucket })
    );
    assert!(is_stored(&world.put(2, 9999, &envelope(many))));
    let frames = world.frames(1);
    assert!(matches!(
        client.on_frame(START, &frames[0]),
        Ok(Reply::News { .. })
    ));
    assert_eq!(world.relay.counters().lagged, 1);
}
