//! The texts of the journey of many, and what became of each.
//!
//! Invariant: no two texts are alike, so that each can be found, once, in what arrived.

use super::bot::Bot;
use super::ring::Person;
use super::steps::{history, send};
use super::tell::Teller;
use account::api::{Delivery, Event};
use std::time::{Duration, Instant};

/// What texts are hard about: scripts, directions, joined and combined characters, blanks, length.
const ENDS: [&str; 6] = [
    "",
    "\u{1f4da} Καλημέρα, \u{645}\u{631}\u{62d}\u{628}\u{627}.",
    "\n\tTwo lines, \"quotes\", a \\ and e\u{301} as two characters. ",
    "\u{1f469}\u{200d}\u{1f680} \u{feff}Zero\u{200b}width",
    "\u{5e9}\u{5dc}\u{5d5}\u{5dd} {\"json\": [null]} -0.0",
    "as long as a page of a letter can be",
];

/// One text on its way. People are numbers.
pub struct Letter {
    pub from: usize,
    pub to: usize,
    /// What was going on.
    pub during: &'static str,
    pub text: String,
    /// The message's id.
    id: String,
    sent: Instant,
    pub took: Option<Duration>,
    /// Relays that signed for it, the most that were told.
    pub stored: u32,
    pub confirmed: bool,
}

/// All of them, in the order of sending.
#[derive(Default)]
pub struct Letters(Vec<Letter>);

impl Letters {
    /// One more, from one to the other, on its way at once.
    pub async fn send(
        &mut self,
        people: &mut [Person],
        from: usize,
        to: usize,
        during: &'static str,
    ) -> Result<(), String> {
        let text = self.text(people, from, to);
        let account = person(people, to)?.account.clone();
        let sent = Instant::now();
        let id = send(person(people, from)?.bot()?, &account, &text).await?;
        self.0.push(Letter {
            from,
            to,
            during,
            text,
            id,
            sent,
            took: None,
            stored: 0,
            confirmed: false,
        });
        Ok(())
    }

    fn text(&self, people: &[Person], from: usize, to: usize) -> String {
        let name = |at: usize| people.get(at).map_or("", |person| person.name);
        let number = self.0.len() + 1;
        let end = ENDS.get(number % ENDS.len()).copied().unwrap_or_default();
        let long = match number % ENDS.len() {
            5 => "word ".repeat(350),
            _ => String::new(),
        };
        format!("{number}: {} to {}. {long}{end}", name(from), name(to))
    }

    /// Waits until all that were sent to people who are here have arrived.
    pub async fn arrive(&mut self, people: &mut [Person]) -> Result<(), String> {
        for letter in self.0.iter_mut().filter(|letter| letter.took.is_none()) {
            let from = person(people, letter.from)?.account.clone();
            let to = person(people, letter.to)?;
            if to.is_here() {
                let arrived = arrived(to.bot()?, &from, &letter.text).await?;
                letter.took = Some(arrived.saturating_duration_since(letter.sent));
            }
        }
        Ok(())
    }

    /// Waits until a relay has signed for all that are on their way from here.
    pub async fn stored(&mut self, people: &mut [Person]) -> Result<(), String> {
        for letter in self.0.iter_mut().filter(|letter| letter.took.is_none()) {
            let from = person(people, letter.from)?;
            super::steps::stored(from.bot()?, &letter.id).await?;
        }
        Ok(())
    }

    /// Notes what the senders who are here know of theirs.
    pub fn note(&mut self, people: &mut [Person]) {
        for letter in &mut self.0 {
            let from = people.get_mut(letter.from);
            let Some(Ok(bot)) = from.map(Person::bot) else {
                continue;
            };
            for event in bot.told() {
                let Event::Message { message } = event else {
                    continue;
                };
                if message.message != letter.id {
                    continue;
                }
                match message.delivery {
                    Delivery::Stored { relays, .. } => letter.stored = letter.stored.max(relays),
                    Delivery::Delivered { .. } => letter.confirmed = true,
                    _ => {}
                }
            }
        }
    }

    /// Looks into everybody's history: each text is there as it was written, once, and no other.
    pub async fn check(&self, people: &mut [Person]) -> Result<(), String> {
        for at in 0..people.len() {
            let contacts = person(people, at)?.contacts.clone();
            for contact in contacts {
                let mut expected: Vec<&str> = contact.greeting.as_deref().into_iter().collect();
                let letters = self.0.iter();
                let letters = letters.filter(|it| it.to == at && it.from == contact.at);
                expected.extend(letters.map(|it| it.text.as_str()));
                let with = person(people, contact.at)?.account.clone();
                let reader = person(people, at)?;
                let name = reader.name;
                let mut got = history(reader.bot()?, &with).await?;
                got.sort_unstable();
                expected.sort_unstable();
                if got != expected {
                    return Err(format!(
                        "{name} should have got {expected:?}, each once, and has {got:?}."
                    ));
                }
            }
        }
        Ok(())
    }

    pub fn tell(&self, people: &[Person], teller: &Teller) {
        let name = |at: usize| people.get(at).map_or("", |person| person.name);
        for (at, letter) in self.0.iter().enumerate() {
            teller.letter(at + 1, name(letter.from), name(letter.to), letter);
        }
    }

    pub fn count(&self) -> usize {
        self.0.len()
    }
}

fn person(people: &mut [Person], at: usize) -> Result<&mut Person, String> {
    people
        .get_mut(at)
        .ok_or_else(|| "Somebody is missing.".to_owned())
}

/// When a text from somebody was there, exactly.
async fn arrived(bot: &mut Bot, from: &str, text: &str) -> Result<Instant, String> {
    let about = format!("the message that begins with {:?}", text.lines().next());
    let is = |event: &Event| match event {
        Event::Message { message } if message.contact == from && !message.mine => {
            (message.text.as_bytes() == text.as_bytes()).then_some(())
        }
        _ => None,
    };
    Ok(bot.when(0, &about, is).await?.0)
}
