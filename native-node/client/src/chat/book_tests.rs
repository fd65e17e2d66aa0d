#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use super::*;

fn contact(id: &str, name: &str, state: ContactState) -> Event {
    let contact = ContactView {
        contact: id.into(),
        name: name.into(),
        state,
        unread: 0,
        messages: 0,
        last: None,
        acknowledge: true,
        confirms: true,
        added: 0,
        changed: 0,
        about: String::new(),
        avatar: None,
        confirm_until: None,
    };
    Event::Contact { contact }
}

fn message(mine: bool, index: u64, text: &str, delivery: Delivery) -> Event {
    let message = MessageView {
        message: format!("{index:032x}"),
        contact: "annannannann".into(),
        mine,
        text: text.into(),
        at: 0,
        order: index,
        index,
        delivery,
        notice: None,
    };
    Event::Message { message }
}

fn live() -> Book {
    let mut book = Book::default();
    book.on_event(contact("annannannann", "Ann", ContactState::Active));
    book.live = true;
    book
}

#[test]
fn a_message_is_said_once() {
    let mut book = live();
    let first = || message(false, 0, "one\ntwo", Delivery::Received);
    let said = book.on_event(first());
    assert_eq!(said.as_deref(), Some("<Ann> one\n  | two"));
    assert_eq!(book.on_event(first()), None);
    let next = message(false, 1, "three", Delivery::Received);
    assert_eq!(book.on_event(next).as_deref(), Some("<Ann> three"));
}

#[test]
fn what_becomes_of_a_message_is_said_when_it_is_known() {
    let mut book = live();
    let queued = |waits_for| Delivery::Queued { waits_for };
    let states = [
        (queued(WaitsFor::Work), true),
        (queued(WaitsFor::Keys), false),
        (queued(WaitsFor::Keys), false),
        (queued(WaitsFor::Relay), true),
        (
            Delivery::Stored {
                relays: 1,
                until: u64::MAX,
            },
            true,
        ),
        (
            Delivery::Stored {
                relays: 1,
                until: u64::MAX,
            },
            false,
        ),
        (
            Delivery::Stored {
                relays: 2,
                until: u64::MAX,
            },
            true,
        ),
        (Delivery::Delivered { at: 1 }, true),
    ];
    for (index, (state, said)) in states.into_iter().enumerate() {
        assert_eq!(book.unsent(), usize::from((1..=4).contains(&index)));
        let told = book.on_event(message(true, 0, "hi", state.clone()));
        assert_eq!(told.is_some(), said, "{state:?}");
        assert!(
            told.is_none_or(|told| told.starts_with("* [1] ")),
            "{state:?}"
        );
    }
}

#[test]
fn people_are_found_and_told_apart() {
    let mut book = live();
    book.on_event(contact("bbbbbbbbbbbb", "ANN", ContactState::Active));
    book.on_event(contact("cccccccccccc", "Ann", ContactState::Active));
    book.on_event(contact(
        "dddddddddddd",
        "<\u{1b}[2J>",
        ContactState::Blocked,
    ));
    book.on_event(contact("eeeeeeeeeeee", "", ContactState::Greeted));
    assert_eq!(book.label("cccccccccccc"), "Ann cccccccc");
    assert_eq!(book.label("dddddddddddd"), "[2J");
    assert_eq!(book.label("eeeeeeeeeeee"), "eeeeeeee");
    assert_eq!(book.find("ann c").as_deref(), Ok("cccccccccccc"));
    assert_eq!(book.find("BBBB").as_deref(), Ok("bbbbbbbbbbbb"));
    assert_eq!(book.find("ann").as_deref(), Ok("bbbbbbbbbbbb"));
    assert!(book.find("a").unwrap_err().contains("Ann cccccccc"));
    assert!(book.find("Zoe").is_err());
}

#[test]
fn nothing_is_said_before_all_is_known_but_troubles() {
    let mut book = Book::default();
    assert_eq!(
        book.on_event(message(false, 0, "old", Delivery::Received)),
        None
    );
    let problem = crate::problem::problem("disk_full", "It is full.".into(), "Safe.", "Mend it.");
    let said = book.on_event(Event::Trouble { problem });
    assert_eq!(said.as_deref(), Some("* It is full. Safe. Mend it."));
}

#[test]
fn an_acceptance_is_said() {
    let mut book = live();
    let state = |state| contact("bbbbbbbbbbbb", "Ben", state);
    assert_eq!(book.on_event(state(ContactState::Greeted)), None);
    let said = book.on_event(state(ContactState::Active)).unwrap();
    assert!(said.starts_with("* Ben accepted"), "{said}");
    assert_eq!(book.on_event(state(ContactState::Active)), None);
}
