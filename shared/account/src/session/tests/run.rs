//! What has to work: many days, loss, reorder, copies, restarts.

use super::*;

/// An object on its way.
struct Post {
    sealed: Sealed,
    text: String,
    to_ann: bool,
    due: Millis,
    sent: Millis,
}

#[test]
fn a_first_conversation() {
    let (mut ann, mut ben) = two(START);
    for n in 0..30 {
        let text = format!("number {n}");
        let sent = ben.send(&text);
        assert_eq!(sent.is_opener, n == 0, "{n}");
        assert_eq!(ann.read(&sent.sealed), text);
        assert!(ann.receive(&sent.sealed).is_none() || sent.is_opener);
        let answer = ann.send("yes");
        assert_eq!(ben.read(&answer.sealed), "yes");
    }
}

#[test]
fn long_texts_and_long_lists() {
    let (mut ann, mut ben) = two(START);
    for text in ["", "é".repeat(1000).as_str()] {
        // First as an opener, then on the chain.
        ann = ann.restored(9);
        for opener in [true, false] {
            let mut draft = ann.draft(text);
            draft.acks = alloc::vec![[1; 16]; 16];
            draft.name = Some("n".repeat(64));
            draft.mailbox = Mailbox::new(0, 32);
            let sent = ann.send_draft(&draft).unwrap();
            assert_eq!(sent.is_opener, opener);
            let payload = ben.receive(&sent.sealed).unwrap().unwrap().payload;
            assert_eq!(payload.text.as_deref(), Some(text));
            assert_eq!((payload.acks.len(), payload.name), (16, draft.name));
            // Keys ride where there is room.
            assert_eq!(payload.keys.is_some(), opener && text.is_empty());
            assert_eq!(ben.session.mailbox(), Mailbox::new(0, 32).unwrap());
        }
    }
    let before = ann.session.encode();
    let mut draft = ann.draft("");
    draft.text = Some("x".repeat(2001));
    let error = ann.send_draft(&draft).unwrap_err();
    assert_eq!(error, SealError::TextTooLong { bytes_max: 2000 });
    draft.text = None;
    draft.acks = alloc::vec![[1; 16]; 17];
    assert_eq!(
        ann.send_draft(&draft).unwrap_err(),
        SealError::TooManyAcks { max: 16 }
    );
    assert_eq!(ann.session.encode(), before);
}

#[test]
fn without_keys_nothing_is_sealed() {
    let (mut ann, mut ben) = two(START);
    let before = ann.session.encode();
    ann.now += 9 * DAY;
    let draft = ann.draft("hello");
    assert_eq!(ann.send_draft(&draft).unwrap_err(), SealError::NoKeys);
    assert_eq!(ann.session.encode(), before);
    ann.at(START + 9 * DAY);
    ben.at(START + 9 * DAY);
    ann.learn(&mut ben);
    let sent = ann.send_draft(&draft).unwrap();
    assert_eq!(ben.read(&sent.sealed), "hello");
}

/// At night's edge, with clocks apart, and with keys of the neighbouring epoch only.
#[test]
fn clocks_apart() {
    for (ann_at, ben_at) in [(-1i64, 1i64), (1, -1), (-20, 0), (0, -20)] {
        let midnight = (START / DAY + 1) * DAY;
        let (mut ann, mut ben) = two(midnight);
        ann.at(midnight.saturating_add_signed(ann_at * HOUR as i64));
        ben.at(midnight.saturating_add_signed(ben_at * HOUR as i64));
        let sent = ann.send("hello").sealed;
        assert_eq!(ben.read(&sent), "hello");
        let sent = ben.send("hello").sealed;
        assert_eq!(ann.read(&sent), "hello");
    }
}

/// An opener is made after a start, in a new epoch, after 24 messages nobody acknowledged, and for
/// a new generation of keys.
#[test]
fn when_openers_are_made() {
    let (mut ann, mut ben) = two(START);
    assert!(ann.send("").is_opener);
    assert_eq!((1..24).filter(|_| ann.send("").is_opener).count(), 0);
    assert!(ann.send("").is_opener);
    assert!(!ann.send("").is_opener);
    ann = ann.restored(7);
    assert!(ann.send("").is_opener);
    ann.at(START + DAY);
    assert!(ann.send("").is_opener && !ann.send("").is_opener);
    ben.at(START + DAY);
    ben.own.renew(epoch(ben.now), &mut ben.rng);
    ann.learn(&mut ben);
    let sent = ann.send("new keys");
    assert!(sent.is_opener);
    assert_eq!(ben.read(&sent.sealed), "new keys");
}

/// Three weeks both ways: a tenth of the messages lost, others up to 40 hours late, in any order,
/// some twice, each side restarted now and then. Everything that is not lost, and whose opener is
/// not lost, is read exactly once.
#[test]
fn three_weeks_of_bad_weather() {
    let (mut ann, mut ben) = two(START);
    let mut weather = Rng::new([77; 32]);
    let mut posts: Vec<Post> = Vec::new();
    let mut read: BTreeMap<String, u32> = BTreeMap::new();
    let mut wanted: Vec<String> = Vec::new();
    let mut opener_lost = [false; 2];
    let pair_before = pair::sending(&ann.session.kept.pairs, u32::MAX).unwrap().id;
    for step in 0..21 * 8 {
        let now = START + step * 3 * HOUR;
        ann.at(now);
        ben.at(now);
        if step % 8 == 0 {
            ann.learn(&mut ben);
            ben.learn(&mut ann);
        }
        for to_ann in [false, true] {
            let from = if to_ann { &mut ben } else { &mut ann };
            if weather.below(20) == 0 {
                *from = from.restored(step as u8);
            }
            for n in 0..weather.below(4) {
                let text = format!("{step} {n} {to_ann}");
                let sent = from.send(&text);
                let lost = weather.below(10) == 0;
                let lost_chain = &mut opener_lost[usize::from(to_ann)];
                if sent.is_opener {
                    *lost_chain = lost;
                }
                if !lost && !*lost_chain {
                    wanted.push(text.clone());
                }
                let copies = if lost {
                    0
                } else {
                    1 + u64::from(weather.below(8) == 0)
                };
                for _ in 0..copies {
                    let due = now + weather.below(40 * HOUR);
                    let sealed = sent.sealed.clone();
                    posts.push(Post {
                        sealed,
                        text: text.clone(),
                        to_ann,
                        due,
                        sent: now,
                    });
                }
            }
        }
        deliver(&mut posts, now, &mut ann, &mut ben, &mut weather, &mut read);
    }
    deliver(
        &mut posts,
        u64::MAX,
        &mut ann,
        &mut ben,
        &mut weather,
        &mut read,
    );
    assert!(wanted.len() > 300, "{}", wanted.len());
    for text in &wanted {
        assert_eq!(read.get(text), Some(&1), "{text}");
    }
    assert!(read.values().all(|times| *times == 1));
    let pair = pair::sending(&ann.session.kept.pairs, u32::MAX).unwrap();
    assert_ne!(pair.id, pair_before, "a fresh pair took over");
    assert!(
        ann.session
            .kept
            .pairs
            .iter()
            .all(|p| p.first >= epoch(START) + 7)
    );
    assert!(
        ann.session.encode().len() < 20_000,
        "{}",
        ann.session.encode().len()
    );
}

/// Hands over what is due; what is not expected yet is kept, as relays do for 48 hours (here
/// longer: the clocks stand still at the end).
fn deliver(
    posts: &mut Vec<Post>,
    now: Millis,
    ann: &mut Party,
    ben: &mut Party,
    weather: &mut Rng,
    read: &mut BTreeMap<String, u32>,
) {
    loop {
        let mut waiting = Vec::new();
        let before = posts.len();
        while !posts.is_empty() {
            let post = posts.remove(weather.below(posts.len() as u64) as usize);
            let to = if post.to_ann { &mut *ann } else { &mut *ben };
            if post.due > now {
                waiting.push(post);
                continue;
            }
            match to.receive(&post.sealed) {
                Some(Ok(opened)) => {
                    assert_eq!(opened.payload.text.as_ref(), Some(&post.text));
                    assert!(!opened.device_changed);
                    *read.entry(post.text).or_insert(0) += 1;
                }
                Some(Err(error)) => assert_eq!(error, OpenError::Replayed),
                None if to.now - post.sent < 7 * DAY => waiting.push(post),
                None => {}
            }
        }
        *posts = waiting;
        // A chain that became known may open what waited for it.
        if posts.len() == before {
            return;
        }
    }
}

#[test]
fn another_handshake_is_adopted() {
    let (mut ann, mut ben) = two(START);
    let under_way = ann.send("old pair").sealed;
    // The same two meet again; what they have is added to what they had.
    let (ann2, ben2) = two(START + HOUR);
    assert!(!ann.session.adopt(ann2.session, Old::Retires));
    assert!(!ben.session.adopt(ben2.session, Old::Retires));
    ann.at(START + HOUR);
    ben.at(START + HOUR);
    assert_eq!(ben.read(&under_way), "old pair");
    let sent = ben.send("new pair");
    assert_eq!(ann.read(&sent.sealed), "new pair");
    let sent = ann.send("both ways");
    assert!(sent.is_opener);
    assert_eq!(ben.read(&sent.sealed), "both ways");
}

#[test]
fn a_changed_device_is_told() {
    let (mut ann, mut ben) = two(START);
    ann.device = SigningKey::draw(&mut ann.rng);
    ann.at(START);
    let sent = ann.send("from my new phone");
    let opened = ben.receive(&sent.sealed).unwrap().unwrap();
    assert!(opened.device_changed);
    assert_eq!(opened.device, ann.device.public());
    ann = ann.restored(3);
    let sent = ann.send("again");
    assert!(!ben.receive(&sent.sealed).unwrap().unwrap().device_changed);
}
