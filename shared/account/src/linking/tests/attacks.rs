//! Who has photographed the code, replaced it, or carries the envelopes. They have everything but
//! the keys of the two devices.

use super::*;

/// N's code is photographed, and O is shown the attacker's. Both sides are answered, in either
/// order, and the attacker says that it is the account of O.
#[test]
fn a_man_in_the_middle_makes_the_numbers_differ() {
    for seed in 0..60 {
        let mut run = Run::new(DeviceKind::Full, seed);
        let mut rng = Rng::new([200; 32]);
        let mut fake = Run::new(DeviceKind::Full, 100 + seed);
        let mut false_o =
            OldDevice::new(run.n.code().clone(), run.ada.me(), &at(1_000), &mut rng).unwrap();
        run.o = OldDevice::new(fake.n.code().clone(), run.ada.me(), &at(1_000), &mut rng).unwrap();
        let key = run.key.clone();
        let hello = only(false_o.on_envelope(&key.header, &key.body, &at(2_000), &mut rng));
        let reply = run.n_gets(&hello);
        let Some(NewEvent::Compare(host)) = reply.event else {
            panic!("N shows a number")
        };
        let theirs = &reply.put[0];
        let reply = false_o.on_envelope(&theirs.header, &theirs.body, &at(2_000), &mut rng);
        assert!(matches!(reply.event, Some(OldEvent::Compare(_))));
        let hello = only(run.o_gets(&fake.key.clone()));
        let reply = fake.n_gets(&hello);
        let reply = run.o_gets(&reply.put[0].clone());
        let Some(OldEvent::Compare(newcomer)) = reply.event else {
            panic!("O shows a number")
        };
        // The id is that of the account: only the number tells.
        assert_eq!(*host.account.key(), run.ada.key.public());
        assert_ne!(host.number, newcomer.number);

        // Even if the person on N does not look: what the account did not certify is not taken.
        run.n_confirms();
        let device = run.asks.device;
        let mut mine = run.bundle(device, DeviceKind::Linked, 0);
        let forged = Certificate::issue(&fake.ada.key, 1, device, hour(START));
        mine.certificate = forged.to_bytes();
        assert_eq!(
            false_o.approve(&mine, &at(3_000)),
            Err(ApproveError::NotForThem)
        );
    }
}

/// O scanned N's own code, and somebody who photographed it answers N first: N shows another
/// account, and what it answered does not open for O.
#[test]
fn who_answers_first_is_shown() {
    let mut run = Run::new(DeviceKind::Linked, 1);
    let mut rng = Rng::new([9; 32]);
    let eve = Account::draw(&mut rng);
    let mut first = OldDevice::new(run.n.code().clone(), eve.me(), &at(1_000), &mut rng).unwrap();
    let key = run.key.clone();
    let hers = only(first.on_envelope(&key.header, &key.body, &at(1_000), &mut rng));
    let ours = run.hello();
    let reply = run.n_gets(&hers);
    let Some(NewEvent::Compare(host)) = &reply.event else {
        panic!("N shows who answered")
    };
    assert_eq!(*host.account.key(), eve.key.public());
    assert_eq!(
        o_failed(&run.o_gets(&reply.put[0].clone())),
        Failure::Disturbed
    );
    // N answers nobody else, and takes nothing from them.
    assert!(is_nothing(&run.n_gets(&ours)));
    assert!(is_nothing(&run.n_gets(&hers)));
    // The person says no there.
    let reply = run.n.confirm(false, &at(2_000), &mut run.rng);
    assert_eq!(n_failed(&reply), Failure::RefusedHere);
}

#[test]
fn one_hello_and_one_answer_are_taken() {
    let mut run = Run::new(DeviceKind::Linked, 2);
    let mut rng = Rng::new([9; 32]);
    // A second one of the same account, scanned from the same code.
    let mut second =
        OldDevice::new(run.n.code().clone(), run.ada.me(), &at(1_000), &mut rng).unwrap();
    let key = run.key.clone();
    let other = only(second.on_envelope(&key.header, &key.body, &at(1_000), &mut rng));
    let (host, newcomer, [hello, device]) = run.compare();
    for again in [&other, &hello] {
        assert!(is_nothing(&run.n_gets(again)));
    }
    for again in [&device, &run.key.clone(), &other] {
        assert!(is_nothing(&run.o_gets(again)));
    }
    let reply = second.on_envelope(&device.header, &device.body, &at(2_000), &mut rng);
    assert_eq!(o_failed(&reply), Failure::Disturbed);
    assert_eq!(host.number, newcomer.number);
    // The run goes on as if nothing had been.
    run.n_confirms();
    let bundle = run.bundle(newcomer.device, DeviceKind::Linked, 0);
    let chunks = run.chunks(&bundle);
    assert!(matches!(
        run.n_gets(&chunks[0]).event,
        Some(NewEvent::Received(_))
    ));
    assert!(is_nothing(&run.n_gets(&chunks[0])));
}

/// Whoever carries envelopes changes nothing by changing them, and the true one still counts.
#[test]
fn what_was_changed_on_its_way_is_nothing() {
    let mut run = Run::new(DeviceKind::Linked, 3);
    let key = run.key.clone();
    let changed = |envelope: &Sealed, take: &mut dyn FnMut(&Sealed) -> bool| {
        for at in 0..envelope.body.len() {
            let mut other = envelope.clone();
            other.body[at] ^= 1 << (at % 8);
            assert!(take(&other), "bit at {at}");
            let mut cut = envelope.clone();
            cut.body.truncate(at);
            assert!(take(&cut), "cut at {at}");
        }
        let mut header = envelope.clone();
        header.header.front.expiry += 1;
        assert!(take(&header), "another header");
    };
    changed(&key, &mut |e| is_nothing(&run.o_gets(e)));
    let hello = run.hello();
    changed(&hello, &mut |e| is_nothing(&run.n_gets(e)));
    let device = run.n_gets(&hello).put[0].clone();
    changed(&device, &mut |e| is_nothing(&run.o_gets(e)));
    assert!(matches!(
        run.o_gets(&device).event,
        Some(OldEvent::Compare(_))
    ));
    let bundle = run.bundle(run.asks.device, DeviceKind::Linked, 0);
    let chunk = run.chunks(&bundle)[0].clone();
    changed(&chunk, &mut |e| is_nothing(&run.n_gets(e)));
    run.n_confirms();
    assert!(matches!(
        run.n_gets(&chunk).event,
        Some(NewEvent::Received(_))
    ));
    let word = run.n.taken(&at(8_000), &mut run.rng).unwrap();
    changed(&word, &mut |e| is_nothing(&run.o_gets(e)));
    assert!(matches!(run.o_gets(&word).event, Some(OldEvent::Done)));
}

/// What belongs to another run, or was said by the same side, does not fit.
#[test]
fn envelopes_of_another_run_are_nothing() {
    let mut one = Run::new(DeviceKind::Linked, 4);
    let mut two = Run::new(DeviceKind::Linked, 5);
    let (_, _, first) = one.compare();
    assert!(is_nothing(&two.o_gets(&one.key)));
    for envelope in &first {
        assert!(is_nothing(&two.n_gets(envelope)) && is_nothing(&two.o_gets(envelope)));
    }
    assert_ne!(one.n.address(), two.n.address());
    assert_ne!(one.n.expected(), two.n.expected());
}

#[test]
fn a_bundle_is_for_who_was_asked() {
    let mut run = Run::new(DeviceKind::Linked, 6);
    let other = Account::draw(&mut run.rng);
    let (_, newcomer, _) = run.compare();
    let right = run.bundle(newcomer.device, DeviceKind::Linked, 1);
    let stranger = bundle(&other, newcomer.device, DeviceKind::Linked, 0, &mut run.rng);
    let (seed, key) = (run.ada.seed.clone(), run.ada.key.clone());
    let wrong: [&dyn Fn(&mut Bundle); 7] = [
        &|b| *b = stranger.clone(),
        &|b| b.account = other.key.public(),
        &|b| b.certificate = stranger.certificate,
        &|b| b.certificate = other.certificate,
        // It would be full, and did not ask.
        &|b| (b.kind, b.seed) = (DeviceKind::Full, Some(seed.clone())),
        &|b| b.seed = Some(seed.clone()),
        &|b| {
            let late = Certificate::issue(&key, 3, newcomer.device, hour(START) - 300);
            b.certificate = late.to_bytes();
        },
    ];
    for change in wrong {
        let mut bundle = right.clone();
        change(&mut bundle);
        assert_eq!(
            run.o.approve(&bundle, &at(7_000)),
            Err(ApproveError::NotForThem)
        );
    }
    assert!(run.o.approve(&right, &at(7_000)).is_ok());
    assert_eq!(run.o.approve(&right, &at(7_000)), Err(ApproveError::NotNow));

    let mut run = Run::new(DeviceKind::Full, 7);
    let (_, newcomer, _) = run.compare();
    let mut bundle = run.bundle(newcomer.device, DeviceKind::Full, 1);
    bundle.seed = Some(other.seed.clone());
    assert_eq!(
        run.o.approve(&bundle, &at(7_000)),
        Err(ApproveError::NotForThem)
    );
    bundle.seed = None;
    assert_eq!(
        run.o.approve(&bundle, &at(7_000)),
        Err(ApproveError::NotForThem)
    );
}
