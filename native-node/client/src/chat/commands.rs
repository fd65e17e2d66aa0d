//! What a person asks of an open account.

use super::front::Answered;
use super::typed::{HELP, Typed};
use super::{Chat, Leave, Stop, text};
use crate::args::RelayArg;
use crate::problem::{NOTHING_CHANGED, problem};
use account::api::{Answer, Command, ContactState};

/// Messages looked at for those that are unread.
const UNREAD_MAX: u32 = 200;

fn none_such(what: &str, todo: &str) -> Stop {
    Stop::Failed(problem("none_such", what.to_owned(), NOTHING_CHANGED, todo))
}

impl Chat {
    pub async fn carry_out(&mut self, typed: Typed) -> Result<(), Stop> {
        match typed {
            Typed::Blank => {}
            Typed::Text(text) => self.send(text).await?,
            Typed::Help => self.front.say(HELP),
            Typed::Invite { hours, once } => self.invite(hours, once).await?,
            Typed::Invites => self.list_invites(),
            Typed::Revoke(number) => {
                let invite = self.book.invites.get(number);
                let none = || none_such("There is no such invitation.", "/invites lists all.");
                let invite = invite.ok_or_else(none)?.invite.clone();
                self.ask(Command::Revoke { invite }).await?;
            }
            Typed::Open(link) => self.open_link(link).await?,
            Typed::Greet(text) => self.greet(text).await?,
            Typed::Greetings => self.list_greetings(),
            Typed::Accept(number) => self.accept(number).await?,
            Typed::Decline(number) => {
                let greeting = self.greeting(number)?;
                self.ask(Command::Decline { greeting }).await?;
                self.front.say("* Declined. They are not told.");
            }
            Typed::Block(number) => {
                let greeting = self.greeting(number)?;
                self.ask(Command::Block { greeting }).await?;
                self.front
                    .say("* Blocked. They are not told, and cannot greet you again.");
            }
            Typed::Contacts => self.list_contacts(),
            Typed::To(wanted) => match self.book.find(&wanted) {
                Ok(id) => self.turn_to(id).await?,
                Err(why) => self.front.say(&why),
            },
            Typed::History(limit) => self.history(limit).await?,
            Typed::Safety => self.safety().await?,
            Typed::Confirm => {
                let contact = self.current()?;
                self.ask(Command::ConfirmReturn { contact }).await?;
                self.front.say("* Confirmed. What waited is sent.");
            }
            Typed::Cancel(number) => {
                let (contact, message) = self.sent(number)?;
                self.ask(Command::Cancel { message, contact }).await?;
            }
            Typed::Retry(number) => {
                let (contact, message) = self.sent(number)?;
                self.ask(Command::Retry { message, contact }).await?;
            }
            Typed::Name(None) => {
                let said = format!("* You are {} ({}).", self.book.name, self.book.account);
                self.front.say(&said);
            }
            Typed::Name(Some(name)) => {
                self.ask(Command::Rename { name }).await?;
                self.front
                    .say("* Done. Contacts see it with your next message.");
            }
            Typed::Relays => {
                let lines = self.book.relays.iter().map(text::relay);
                let lines: Vec<String> = std::iter::once(self.book.relays_line())
                    .chain(lines)
                    .collect();
                self.front.say(&lines.join("\n"));
            }
            Typed::Relay(hint) => {
                self.ask(Command::AddRelay { hint }).await?;
                self.front.say("* It is used from now on.");
            }
            Typed::Wrong(why) => self.front.say(&format!("* {why}")),
            Typed::Quit => return Err(Leave::Quit.into()),
        }
        Ok(())
    }

    fn current(&self) -> Result<String, Stop> {
        let none = || {
            let todo = "Invite somebody (/invite), open an invitation (/open LINK), or choose \
                        somebody with /to NAME.";
            none_such("There is nobody to write to yet.", todo)
        };
        self.book.current.clone().ok_or_else(none)
    }

    fn greeting(&self, number: usize) -> Result<String, Stop> {
        let greeting = self.book.greetings.get(number);
        let none = || none_such("There is no such greeting.", "/greetings lists all.");
        Ok(greeting.ok_or_else(none)?.greeting.clone())
    }

    fn sent(&self, number: usize) -> Result<(String, String), Stop> {
        let sent = self.book.sent.get(number);
        let none = || {
            let todo = "Use the number that stood below the message, as in [3].";
            none_such("There is no such message of this run.", todo)
        };
        let sent = sent.ok_or_else(none)?;
        Ok((sent.contact.clone(), sent.message.clone()))
    }

    async fn send(&mut self, text: String) -> Result<(), Stop> {
        let contact = self.current()?;
        let answer = self.ask(Command::Send { contact, text }).await?;
        if let Some(Answer::Message { message }) = answer
            && let Some(said) = self.book.on_sent(&message)
        {
            self.front.say(&said);
        }
        Ok(())
    }

    async fn invite(&mut self, hours: u32, single_use: bool) -> Result<(), Stop> {
        let invite = Command::Invite { hours, single_use };
        let Some(Answer::Invitation { invite, fragment }) = self.ask(invite).await? else {
            return Ok(());
        };
        let number = self.book.invites.number(&invite.invite).unwrap_or_default();
        let state = text::invite_state(invite.state);
        let mut said = format!(
            "* Invitation {number}, {state}. Give this link to whom you want to talk to:\n\
             wiremin:{fragment}"
        );
        for relay in &self.pages {
            said += &format!("\nor, for a browser: http://{relay}/#{fragment}");
        }
        self.front.say(&said);
        Ok(())
    }

    fn list_invites(&self) {
        let mut lines = Vec::new();
        for (number, invite) in self.book.invites.iter() {
            let state = text::invite_state(invite.state);
            let left = text::span(invite.until.saturating_sub(text::now_ms()));
            let once = if invite.single_use {
                ", for one person"
            } else {
                ""
            };
            lines.push(format!("  {number}. {state}{once}, valid for {left}"));
            lines.push(format!("     wiremin:{}", invite.fragment));
        }
        self.list(
            "Your invitations:",
            "You have no invitations; /invite makes one.",
            &lines,
        );
    }

    fn list_greetings(&self) {
        let numbers = self.book.greetings.iter().map(|(number, _)| number);
        let lines: Vec<String> = numbers
            .filter_map(|number| self.book.greeting_line(number))
            .collect();
        self.list("Greetings:", "Nobody waits for your answer.", &lines);
    }

    fn list_contacts(&self) {
        let contacts = self.book.contacts.values();
        let lines: Vec<String> = contacts.map(|it| self.book.contact_line(it)).collect();
        self.list(
            "Contacts:",
            "You have no contacts yet; /invite somebody.",
            &lines,
        );
    }

    fn list(&self, title: &str, none: &str, lines: &[String]) {
        match lines {
            [] => self.front.say(&format!("* {none}")),
            lines => self.front.say(&format!("* {title}\n{}", lines.join("\n"))),
        }
    }

    async fn open_link(&mut self, link: String) -> Result<(), Stop> {
        let check = Command::CheckLink { link: link.clone() };
        if let Some(Answer::Link { new_relays, .. }) = self.ask(check).await?
            && !new_relays.is_empty()
        {
            self.front.say(&format!(
                "* The invitation is looked up at {}, which you do not use yet: whoever runs that \
                 learns your IP address.",
                new_relays.join(", ")
            ));
            match self.line("Look it up? (y/n) ", false).await? {
                Answered::Line(answer) if answer.trim().eq_ignore_ascii_case("y") => {}
                _ => {
                    self.front.say("* Not looked up. Nothing was sent.");
                    return Ok(());
                }
            }
        }
        self.front.say("* Looking the invitation up…");
        let open = Command::OpenInvite { link: link.clone() };
        let answer = self.ask(open).await?;
        let Some(Answer::Opened {
            name,
            until,
            own,
            contact,
            ..
        }) = answer
        else {
            return Ok(());
        };
        let left = text::span(until.saturating_sub(text::now_ms()));
        if own {
            self.front.say("* This is an invitation of your own.");
        } else if let Some(contact) = contact {
            self.front.say(&format!(
                "* You know {} already.",
                self.book.label(&contact.contact)
            ));
            self.turn_to(contact.contact).await?;
        } else {
            self.opened = Some(link);
            self.front.say(&format!(
                "* {name} invites you; it is valid for {left}. Write to them: /greet TEXT"
            ));
        }
        Ok(())
    }

    async fn greet(&mut self, text: String) -> Result<(), Stop> {
        let none = || none_such("No invitation is open.", "Open one first: /open LINK.");
        let link = self.opened.clone().ok_or_else(none)?;
        let answer = self.ask(Command::Greet { link, text }).await?;
        self.opened = None;
        if let Some(Answer::Contact { contact }) = answer {
            let name = self.book.label(&contact.contact);
            self.front.say(&format!(
                "* You greeted {name}. What you write before they have accepted waits for that."
            ));
            self.book.current = Some(contact.contact);
        }
        Ok(())
    }

    async fn accept(&mut self, number: usize) -> Result<(), Stop> {
        let greeting = self.greeting(number)?;
        if let Some(Answer::Contact { contact }) = self.ask(Command::Accept { greeting }).await? {
            let name = self.book.label(&contact.contact);
            self.front
                .say(&format!("* Accepted. What you write now goes to {name}."));
            self.mark_read(contact.contact.clone());
            self.book.current = Some(contact.contact);
        }
        Ok(())
    }

    async fn turn_to(&mut self, contact: String) -> Result<(), Stop> {
        let name = self.book.label(&contact);
        let blocked = |it: &account::api::ContactView| it.state == ContactState::Blocked;
        if self.book.contacts.get(&contact).is_some_and(blocked) {
            self.front
                .say(&format!("* {name} is blocked: nothing is sent to them."));
            return Ok(());
        }
        self.front
            .say(&format!("* What you write now goes to {name}."));
        self.book.current = Some(contact);
        Ok(())
    }

    async fn history(&mut self, limit: u32) -> Result<(), Stop> {
        let contact = self.current()?;
        let before = None;
        let name = self.book.label(&contact);
        let history = Command::History {
            contact,
            before,
            limit,
        };
        if let Some(Answer::History { messages, .. }) = self.ask(history).await? {
            let lines: Vec<String> = messages.iter().map(|it| text::past(it, &name)).collect();
            self.list(&format!("With {name}:"), "There are no messages.", &lines);
        }
        Ok(())
    }

    /// What came while nobody looked.
    pub async fn show_unread(&mut self) -> Result<(), Stop> {
        let unread = self.book.contacts.values().filter(|it| it.unread > 0);
        let unread: Vec<(String, usize)> = unread
            .map(|it| {
                (
                    it.contact.clone(),
                    it.unread.try_into().unwrap_or(usize::MAX),
                )
            })
            .collect();
        for (contact, unread) in unread {
            let history = Command::History {
                contact: contact.clone(),
                before: None,
                limit: UNREAD_MAX,
            };
            if let Some(Answer::History { messages, .. }) = self.ask(history).await? {
                let name = self.book.label(&contact);
                let theirs: Vec<_> = messages.iter().filter(|it| !it.mine).collect();
                let first = theirs.len().saturating_sub(unread);
                let lines = theirs.iter().skip(first).map(|it| text::past(it, &name));
                let lines: Vec<String> = lines.collect();
                self.list(&format!("From {name}:"), "Nothing is left of it.", &lines);
            }
            self.mark_read(contact);
        }
        Ok(())
    }

    async fn safety(&mut self) -> Result<(), Stop> {
        let contact = self.current()?;
        let name = self.book.label(&contact);
        let number = self.ask(Command::SafetyNumber { contact }).await?;
        if let Some(Answer::SafetyNumber { digits }) = number {
            self.front.say(&format!(
                "* Compare this with {name} face to face or by telephone; both see the same:\n{}",
                text::digits(&digits)
            ));
        }
        Ok(())
    }

    /// The address of the page of each relay that was named by it.
    pub fn pages(relays: &[RelayArg]) -> Vec<String> {
        let page = |relay: &RelayArg| match relay {
            RelayArg::Host(host) => Some(host.clone()),
            RelayArg::Hint(_) => None,
        };
        relays.iter().filter_map(page).collect()
    }
}
