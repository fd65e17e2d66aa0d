//! What an account does on its way, one step a function.

use super::bot::Bot;
use account::api::*;

const PASSCODE: &str = "correct horse battery";

pub async fn create(bot: &mut Bot, name: &str) -> Result<(), String> {
    bot.wait("an empty device", |event| match event {
        Event::Phase {
            phase: Phase::Empty,
        } => Some(()),
        _ => None,
    })
    .await?;
    let Some(Answer::Words { words }) = bot.ask(Command::NewWords).await? else {
        return Err(format!("{name} got no words."));
    };
    bot.ask(Command::Create {
        name: name.to_owned(),
        words: words.join(" "),
        passcode: PASSCODE.to_owned(),
        restore: false,
        remember: false,
    })
    .await?;
    Ok(())
}

pub async fn unlock(bot: &mut Bot) -> Result<(), String> {
    bot.wait("a locked account", |event| match event {
        Event::Phase {
            phase: Phase::Locked { .. },
        } => Some(()),
        _ => None,
    })
    .await?;
    bot.ask(Command::Unlock {
        passcode: PASSCODE.to_owned(),
        remember: false,
    })
    .await?;
    Ok(())
}

pub async fn connected(bot: &mut Bot, mark: usize) -> Result<(), String> {
    bot.wait_from(mark, "a connection to the relay", |event| match event {
        Event::Relays { relays, .. } => {
            let open = |relay: &RelayView| relay.state == RelayState::Open;
            relays.iter().any(open).then_some(())
        }
        _ => None,
    })
    .await
}

/// The account's own id.
pub async fn account(bot: &mut Bot) -> Result<String, String> {
    bot.wait("its own id", |event| match event {
        Event::Profile { account, .. } => Some(account.clone()),
        _ => None,
    })
    .await
}

/// Connected to so many relays at once.
pub async fn holds(bot: &mut Bot, count: usize) -> Result<(), String> {
    let about = format!("links to {count} relays");
    bot.wait(&about, |event| match event {
        Event::Relays { relays, .. } => {
            let open = relays.iter().filter(|it| it.state == RelayState::Open);
            (open.count() >= count).then_some(())
        }
        _ => None,
    })
    .await
}

/// Addresses of the relays that it is linked to, as it told last.
pub fn linked(bot: &mut Bot) -> Vec<String> {
    let mut linked = Vec::new();
    for event in bot.told() {
        if let Event::Relays { relays, .. } = event {
            let open = relays.iter().filter(|it| it.state == RelayState::Open);
            linked = open.map(|it| it.address.clone()).collect();
        }
    }
    linked
}

/// The invitation's id and link.
pub async fn invite(bot: &mut Bot) -> Result<(String, String), String> {
    let command = Command::Invite {
        hours: 24,
        single_use: true,
    };
    match bot.ask(command).await? {
        Some(Answer::Invitation { invite, fragment }) => Ok((invite.invite, fragment)),
        other => Err(format!("Inviting gave no invitation, but {other:?}.")),
    }
}

pub async fn published(bot: &mut Bot, id: &str) -> Result<(), String> {
    bot.wait("a published invitation", |event| match event {
        Event::Invite { invite } if invite.invite == id => {
            (invite.state == InviteState::Live).then_some(())
        }
        _ => None,
    })
    .await
}

/// Opens a link and sees whose it is.
pub async fn open(bot: &mut Bot, link: &str, whose: &str) -> Result<(), String> {
    let link = link.to_owned();
    match bot.ask(Command::OpenInvite { link }).await? {
        Some(Answer::Opened {
            name, own: false, ..
        }) if name == whose => Ok(()),
        other => Err(format!(
            "The link did not lead to {whose}, but to {other:?}."
        )),
    }
}

/// The inviter's id.
pub async fn greet(bot: &mut Bot, link: &str, text: &str) -> Result<String, String> {
    let (link, text) = (link.to_owned(), text.to_owned());
    match bot.ask(Command::Greet { link, text }).await? {
        Some(Answer::Contact { contact }) => Ok(contact.contact),
        other => Err(format!("A greeting made no contact, but {other:?}.")),
    }
}

/// Accepts the greeting of somebody, who is told by id.
pub async fn accept(bot: &mut Bot, of: &str, text: &str) -> Result<String, String> {
    let greeting = bot
        .wait("a greeting", |event| match event {
            Event::Greeting { greeting } if greeting.name == of => Some(greeting.clone()),
            _ => None,
        })
        .await?;
    if greeting.text != text {
        return Err(format!(
            "{of}'s greeting was changed on its way: {greeting:?}."
        ));
    }
    let command = Command::Accept {
        greeting: greeting.greeting,
    };
    bot.ask(command).await?;
    Ok(greeting.account)
}

pub async fn active(bot: &mut Bot, who: &str) -> Result<(), String> {
    bot.wait("the acceptance", |event| match event {
        Event::Contact { contact } if contact.contact == who => {
            (contact.state == ContactState::Active).then_some(())
        }
        _ => None,
    })
    .await
}

/// The message's id.
pub async fn send(bot: &mut Bot, to: &str, text: &str) -> Result<String, String> {
    let command = Command::Send {
        contact: to.to_owned(),
        text: text.to_owned(),
    };
    match bot.ask(command).await? {
        Some(Answer::Message { message }) => Ok(message.message),
        other => Err(format!("Sending gave no message, but {other:?}.")),
    }
}

/// A text from somebody, exactly.
pub async fn received(bot: &mut Bot, from: &str, text: &str) -> Result<(), String> {
    let about = format!("the message that begins with {:?}", text.lines().next());
    bot.wait(&about, |event| match event {
        Event::Message { message } if message.contact == from && !message.mine => {
            (message.text.as_bytes() == text.as_bytes()).then_some(())
        }
        _ => None,
    })
    .await
}

async fn delivery(
    bot: &mut Bot,
    message: &str,
    what: &str,
    is: fn(&Delivery) -> bool,
) -> Result<(), String> {
    bot.wait(what, |event| match event {
        Event::Message { message: told } if told.message == message => {
            is(&told.delivery).then_some(())
        }
        _ => None,
    })
    .await
}

pub async fn stored(bot: &mut Bot, message: &str) -> Result<(), String> {
    let is = |delivery: &Delivery| matches!(delivery, Delivery::Stored { relays: 1.., .. });
    delivery(bot, message, "the relay's receipt", is).await
}

pub async fn delivered(bot: &mut Bot, message: &str) -> Result<(), String> {
    let is = |delivery: &Delivery| matches!(delivery, Delivery::Delivered { .. });
    delivery(bot, message, "the recipient's confirmation", is).await
}

/// What somebody wrote, as the history has it.
pub async fn history(bot: &mut Bot, with: &str) -> Result<Vec<String>, String> {
    let command = Command::History {
        contact: with.to_owned(),
        before: None,
        limit: 100,
    };
    let Some(Answer::History { messages, .. }) = bot.ask(command).await? else {
        return Err("There is no history.".into());
    };
    let theirs = messages.into_iter().filter(|message| !message.mine);
    Ok(theirs.map(|message| message.text).collect())
}
