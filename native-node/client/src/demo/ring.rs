//! The journey of many: relays that know each other, accounts in a ring spread over them, and
//! relays that are killed on the way.

use super::bot::Bot;
use super::letters::Letters;
use super::plan::{NAMES, pairs, relay_of, victims};
use super::relays::Relays;
use super::steps::*;
use super::tell::Teller;
use std::path::{Path, PathBuf};

/// Relays that an account holds, where there are so many.
const RELAYS_HELD: usize = 3;

/// Somebody with an account.
pub struct Person {
    pub name: &'static str,
    /// The account's id.
    pub account: String,
    pub contacts: Vec<Contact>,
    data: PathBuf,
    /// The number of the relay that was chosen.
    relay: usize,
    /// `None` while away.
    bot: Option<Bot>,
}

/// A neighbour.
#[derive(Clone)]
pub struct Contact {
    /// The number of the person.
    pub at: usize,
    /// What they greeted with, if they did.
    pub greeting: Option<String>,
}

impl Person {
    pub fn is_here(&self) -> bool {
        self.bot.is_some()
    }

    pub fn bot(&mut self) -> Result<&mut Bot, String> {
        let name = self.name;
        self.bot.as_mut().ok_or_else(|| format!("{name} is away."))
    }
}

/// Goes all the way, or says in a sentence where it ended; and what became of each message.
pub async fn travel(
    teller: &mut Teller,
    dir: &Path,
    relays: usize,
    accounts: usize,
) -> Result<(), String> {
    let mut ring = Ring {
        relays: Relays::start(dir, relays).await?,
        people: Vec::new(),
        pairs: pairs(accounts),
        letters: Letters::default(),
    };
    let done = ring.go(teller, dir, accounts).await;
    ring.letters.note(&mut ring.people);
    ring.letters.tell(&ring.people, teller);
    done?;
    ring.close().await
}

struct Ring {
    relays: Relays,
    people: Vec<Person>,
    pairs: Vec<(usize, usize)>,
    letters: Letters,
}

impl Ring {
    async fn go(&mut self, teller: &mut Teller, dir: &Path, accounts: usize) -> Result<(), String> {
        self.relays_are_linked(teller).await?;
        self.begin(teller, dir, accounts).await?;
        self.meet(teller).await?;
        self.write_both_ways("all are here").await?;
        self.letters.arrive(&mut self.people).await?;
        teller.done(
            "talked",
            "All wrote to their neighbours, and every text arrived.",
        );
        if self.relays.ports().len() > 1 {
            let objects = self.relays.alike().await?;
            let text = format!("Every relay says that it stores all {objects} objects.");
            teller.done("spread", &text);
        }
        self.somebody_is_away(teller, accounts / 2).await?;
        self.write_both_ways("after that").await?;
        self.letters.arrive(&mut self.people).await?;
        teller.done(
            "answered",
            "All wrote to their neighbours once more, and it arrived.",
        );
        self.letters.check(&mut self.people).await?;
        let texts = self.letters.count();
        let text = format!("All {texts} texts are in the histories as they were written, once.");
        teller.done("checked", &text);
        Ok(())
    }

    /// All at once: links to relays that were killed are waited for a moment.
    async fn close(&mut self) -> Result<(), String> {
        let bots = self.people.iter_mut().filter_map(|it| it.bot.take());
        let ends: Vec<_> = bots.map(|bot| tokio::spawn(bot.close())).collect();
        for end in ends {
            end.await.map_err(|error| error.to_string())??;
        }
        Ok(())
    }

    async fn relays_are_linked(&mut self, teller: &mut Teller) -> Result<(), String> {
        let ports = self.relays.ports().iter().map(ToString::to_string);
        let ports = ports.collect::<Vec<_>>().join(", ");
        let relays = self.relays.ports().len();
        teller.done("relays", &format!("Relays: {relays}, on ports {ports}."));
        let links = self.relays.linked().await?;
        teller.done(
            "linked",
            &format!("They say that they are linked: {links} links."),
        );
        Ok(())
    }

    async fn begin(
        &mut self,
        teller: &mut Teller,
        dir: &Path,
        accounts: usize,
    ) -> Result<(), String> {
        let relays = self.relays.ports().len();
        for (at, name) in NAMES.into_iter().enumerate().take(accounts) {
            let (data, relay) = (dir.join(name), relay_of(at, accounts, relays));
            let mut bot = Bot::start(name, &data, self.relays.port(relay))?;
            create(&mut bot, name).await?;
            self.people.push(Person {
                name,
                account: account(&mut bot).await?,
                contacts: Vec::new(),
                data,
                relay,
                bot: Some(bot),
            });
        }
        let text = format!("Accounts: {accounts}, each in a process of its own.");
        teller.done("accounts", &text);
        for person in &mut self.people {
            holds(person.bot()?, 1).await?;
        }
        teller.done("connected", "All are connected to the relay they chose.");
        let held = relays.min(RELAYS_HELD);
        if held > 1 {
            for person in &mut self.people {
                holds(person.bot()?, held).await?;
            }
            let text = format!("Their relays named others: each account holds {held}.");
            teller.done("held", &text);
        }
        Ok(())
    }

    /// All at once, step by step: the processes work side by side.
    async fn meet(&mut self, teller: &mut Teller) -> Result<(), String> {
        let mut invitations = Vec::new();
        for (inviter, _) in self.pairs.clone() {
            invitations.push(invite(self.bot(inviter)?).await?);
        }
        for ((inviter, _), (id, _)) in self.pairs.clone().into_iter().zip(&invitations) {
            published(self.bot(inviter)?, id).await?;
        }
        teller.done("invited", "Everybody's invitation for a neighbour is out.");
        for ((inviter, guest), (_, link)) in self.pairs.clone().into_iter().zip(&invitations) {
            let (whose, greeting) = (self.name(inviter), self.greeting(guest, inviter));
            open(self.bot(guest)?, link, whose).await?;
            greet(self.bot(guest)?, link, &greeting).await?;
            self.meets(guest, inviter, None);
            self.meets(inviter, guest, Some(greeting));
        }
        teller.done("greeted", "All opened their neighbour's link and greeted.");
        for (inviter, guest) in self.pairs.clone() {
            let (name, greeting) = (self.name(guest), self.greeting(guest, inviter));
            accept(self.bot(inviter)?, name, &greeting).await?;
        }
        for (inviter, guest) in self.pairs.clone() {
            let who = self.people.get(inviter).map(|it| it.account.clone());
            active(self.bot(guest)?, &who.unwrap_or_default()).await?;
        }
        teller.done("accepted", &self.said_who_met());
        Ok(())
    }

    fn said_who_met(&self) -> String {
        let met = self.pairs.iter().map(|(inviter, guest)| {
            let side = |at: &usize| {
                let person = self.people.get(*at);
                person.map_or_else(String::new, |it| format!("{} ({})", it.name, it.relay + 1))
            };
            format!("{} and {}", side(inviter), side(guest))
        });
        let met = met.collect::<Vec<_>>().join(", ");
        format!("They know each other (and the number of the relay they chose): {met}.")
    }

    /// One who is away is written to, relays are killed, and others go on; then that one is back.
    async fn somebody_is_away(&mut self, teller: &mut Teller, away: usize) -> Result<(), String> {
        self.letters.note(&mut self.people);
        let held = self.held()?;
        let name = self.name(away);
        if let Some(bot) = self.people.get_mut(away).and_then(|it| it.bot.take()) {
            bot.close().await?;
        }
        teller.done("away", &format!("{name} closed the messenger."));
        let beside = self.beside(away);
        for from in &beside {
            let people = &mut self.people;
            self.letters
                .send(people, *from, away, "the reader is away")
                .await?;
        }
        self.letters.stored(&mut self.people).await?;
        teller.done(
            "stored",
            &format!("What was written to {name} is on relays; they signed."),
        );
        self.write_both_ways("relays are killed").await?;
        let writer = beside.first().copied().unwrap_or_default();
        self.kill(teller, writer, &held).await?;
        self.letters.arrive(&mut self.people).await?;
        teller.done(
            "carried",
            "What the others had just sent has arrived all the same.",
        );
        let person = self.people.get_mut(away).ok_or("Somebody is missing.")?;
        let mut bot = Bot::start(person.name, &person.data, self.relays.port(person.relay))?;
        unlock(&mut bot).await?;
        person.bot = Some(bot);
        teller.done("unlocked", &format!("{name} is back."));
        self.letters.arrive(&mut self.people).await?;
        teller.done(
            "received",
            &format!("What waited for {name} arrived, byte for byte."),
        );
        Ok(())
    }

    /// The first is the relay of somebody who wrote; a single one is started again.
    async fn kill(
        &mut self,
        teller: &mut Teller,
        writer: usize,
        held: &[Vec<usize>],
    ) -> Result<(), String> {
        let relays = self.relays.ports().len();
        let first = self.people.get(writer).map_or(0, |it| it.relay);
        if relays == 1 {
            self.relays.kill(0).await?;
            self.relays.restart(0).await?;
            teller.done(
                "restarted",
                "The relay was killed without warning and started again.",
            );
            return Ok(());
        }
        let victims = victims(first, relays, held);
        for victim in &victims {
            self.relays.kill(*victim).await?;
        }
        let numbers = victims.iter().map(|it| (it + 1).to_string());
        let numbers = numbers.collect::<Vec<_>>().join(", ");
        teller.done(
            "killed",
            &format!("Killed without warning, for good: relay {numbers}."),
        );
        Ok(())
    }

    /// Numbers of the relays that each account is linked to.
    fn held(&mut self) -> Result<Vec<Vec<usize>>, String> {
        let mut held = Vec::new();
        for person in &mut self.people {
            let addresses = linked(person.bot()?);
            let ports = self.relays.ports().iter().enumerate();
            let of = ports.filter(|(_, port)| addresses.contains(&format!("127.0.0.1:{port}")));
            held.push(of.map(|(at, _)| at).collect());
        }
        Ok(held)
    }

    /// Between neighbours who are here.
    async fn write_both_ways(&mut self, during: &'static str) -> Result<(), String> {
        for (one, other) in self.pairs.clone() {
            let here = |at: usize| self.people.get(at).is_some_and(Person::is_here);
            if here(one) && here(other) {
                self.letters
                    .send(&mut self.people, one, other, during)
                    .await?;
                self.letters
                    .send(&mut self.people, other, one, during)
                    .await?;
            }
        }
        Ok(())
    }

    fn beside(&self, away: usize) -> Vec<usize> {
        let other = |(one, other): &(usize, usize)| match away {
            at if at == *one => Some(*other),
            at if at == *other => Some(*one),
            _ => None,
        };
        self.pairs.iter().filter_map(other).collect()
    }

    fn bot(&mut self, at: usize) -> Result<&mut Bot, String> {
        let person = self.people.get_mut(at);
        person.ok_or("Somebody is missing.")?.bot()
    }

    fn name(&self, at: usize) -> &'static str {
        self.people.get(at).map_or("", |it| it.name)
    }

    fn greeting(&self, from: usize, to: usize) -> String {
        format!(
            "Hello {}, it is {}, your neighbour.",
            self.name(to),
            self.name(from)
        )
    }

    fn meets(&mut self, at: usize, other: usize, greeting: Option<String>) {
        if let Some(person) = self.people.get_mut(at) {
            let at = other;
            person.contacts.push(Contact { at, greeting });
        }
    }
}
