//! The journey: from no account to a message that waited while its reader was away and the relay
//! was killed.

use super::child::{Bot, Relay};
use super::tell::Teller;
use account::api::*;
use std::path::Path;

const ANNA: &str = "Anna";
const BEN: &str = "Ben";
const PASSCODE: &str = "correct horse battery";
const GREETING: &str = "Hello Anna, it is Ben from the library.";
const QUESTION: &str =
    "Did you find the book? \u{1f4da} Καλημέρα, \u{645}\u{631}\u{62d}\u{628}\u{627}.";
const REPLY: &str = "Yes!\n\tTwo lines, \"quotes\", a \\ and e\u{301} as two characters.";
/// Sent while Ben is away.
const WAITING: &str = "This waited for you. \u{1f469}\u{200d}\u{1f680} \u{feff}Zero\u{200b}width. ";
const THANKS: &str = "It is here.";

/// Goes all the way, or says in a sentence where it ended.
pub async fn travel(teller: &mut Teller, dir: &Path) -> Result<(), String> {
    let relay = Relay::start(&dir.join("relay"), 0).await?;
    let port = relay.port;
    teller.done(
        "relay",
        &format!("A relay listens on port {port} of this machine."),
    );

    let mut anna = Bot::start(ANNA, &dir.join("anna"), port)?;
    let mut ben = Bot::start(BEN, &dir.join("ben"), port)?;
    create(&mut anna, ANNA).await?;
    create(&mut ben, BEN).await?;
    teller.done(
        "accounts",
        "Anna and Ben made their accounts, each in a process of its own.",
    );
    connected(&mut anna, 0).await?;
    connected(&mut ben, 0).await?;
    teller.done("connected", "Both are connected to the relay over WebRTC.");

    let link = invite(&mut anna).await?;
    teller.done(
        "invitation",
        "Anna's invitation is on the relay, and she has a link to it.",
    );
    open(&mut ben, &link).await?;
    teller.done("opened", "Ben opened the link and sees that it is Anna's.");
    let anna_id = greet(&mut ben, &link).await?;
    teller.done("greeted", "Ben greeted her.");
    let ben_id = accept(&mut anna).await?;
    active(&mut ben, &anna_id).await?;
    teller.done("accepted", "Anna read the greeting and accepted it.");

    let question = send(&mut ben, &anna_id, QUESTION).await?;
    received(&mut anna, &ben_id, QUESTION).await?;
    teller.done("question", "Ben's first message arrived, byte for byte.");
    let reply = send(&mut anna, &ben_id, REPLY).await?;
    received(&mut ben, &anna_id, REPLY).await?;
    delivered(&mut ben, &question).await?;
    teller.done(
        "reply",
        "Anna's reply arrived, byte for byte, and confirmed Ben's message.",
    );

    ben.close().await?;
    teller.done("away", "Ben closed his messenger.");
    let waiting = send(&mut anna, &ben_id, WAITING).await?;
    stored(&mut anna, &waiting).await?;
    teller.done(
        "stored",
        "Anna wrote to him meanwhile; the relay signed that it keeps it.",
    );

    let mark = anna.mark();
    relay.kill().await?;
    let _relay = Relay::start(&dir.join("relay"), port).await?;
    teller.done(
        "restarted",
        "The relay was killed without warning and started again.",
    );

    let mut ben = Bot::start(BEN, &dir.join("ben"), port)?;
    unlock(&mut ben).await?;
    teller.done("unlocked", "Ben is back and unlocked his account.");
    received(&mut ben, &anna_id, WAITING).await?;
    remembered(&mut ben, &anna_id).await?;
    teller.done(
        "received",
        "What had waited for him arrived, byte for byte, after all before it.",
    );

    send(&mut ben, &anna_id, THANKS).await?;
    connected(&mut anna, mark).await?;
    received(&mut anna, &ben_id, THANKS).await?;
    delivered(&mut anna, &waiting).await?;
    delivered(&mut anna, &reply).await?;
    teller.done(
        "delivered",
        "Ben's thanks arrived, and Anna's messages show as delivered.",
    );
    ben.close().await?;
    anna.close().await
}

async fn create(bot: &mut Bot, name: &str) -> Result<(), String> {
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

async fn unlock(bot: &mut Bot) -> Result<(), String> {
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

async fn connected(bot: &mut Bot, mark: usize) -> Result<(), String> {
    bot.wait_from(mark, "a connection to the relay", |event| match event {
        Event::Relays { relays, .. } => {
            let open = |relay: &RelayView| relay.state == RelayState::Open;
            relays.iter().any(open).then_some(())
        }
        _ => None,
    })
    .await
}

async fn invite(bot: &mut Bot) -> Result<String, String> {
    let command = Command::Invite {
        hours: 24,
        single_use: true,
    };
    let Some(Answer::Invitation { invite, fragment }) = bot.ask(command).await? else {
        return Err("Anna got no invitation.".into());
    };
    let id = invite.invite;
    bot.wait("a published invitation", |event| match event {
        Event::Invite { invite } if invite.invite == id => {
            (invite.state == InviteState::Live).then_some(())
        }
        _ => None,
    })
    .await?;
    Ok(fragment)
}

async fn open(bot: &mut Bot, link: &str) -> Result<(), String> {
    let link = link.to_owned();
    match bot.ask(Command::OpenInvite { link }).await? {
        Some(Answer::Opened {
            name, own: false, ..
        }) if name == ANNA => Ok(()),
        other => Err(format!("The link did not lead to Anna, but to {other:?}.")),
    }
}

/// Anna's id.
async fn greet(bot: &mut Bot, link: &str) -> Result<String, String> {
    let (link, text) = (link.to_owned(), GREETING.to_owned());
    match bot.ask(Command::Greet { link, text }).await? {
        Some(Answer::Contact { contact }) => Ok(contact.contact),
        other => Err(format!("Ben's greeting made no contact, but {other:?}.")),
    }
}

/// Ben's id.
async fn accept(bot: &mut Bot) -> Result<String, String> {
    let greeting = bot
        .wait("Ben's greeting", |event| match event {
            Event::Greeting { greeting } => Some(greeting.clone()),
            _ => None,
        })
        .await?;
    if greeting.name != BEN || greeting.text != GREETING {
        return Err(format!(
            "Ben's greeting was changed on its way: {greeting:?}."
        ));
    }
    let command = Command::Accept {
        greeting: greeting.greeting,
    };
    bot.ask(command).await?;
    Ok(greeting.account)
}

async fn active(bot: &mut Bot, who: &str) -> Result<(), String> {
    bot.wait("the acceptance", |event| match event {
        Event::Contact { contact } if contact.contact == who => {
            (contact.state == ContactState::Active).then_some(())
        }
        _ => None,
    })
    .await
}

/// The message's id.
async fn send(bot: &mut Bot, to: &str, text: &str) -> Result<String, String> {
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
async fn received(bot: &mut Bot, from: &str, text: &str) -> Result<(), String> {
    let about = format!("the message that begins with {:?}", text.lines().next());
    bot.wait(&about, |event| match event {
        Event::Message { message } if message.contact == from && !message.mine => {
            (message.text.as_bytes() == text.as_bytes()).then_some(())
        }
        _ => None,
    })
    .await
}

/// Everything said so far is in Ben's history, in its order, once.
async fn remembered(bot: &mut Bot, with: &str) -> Result<(), String> {
    let command = Command::History {
        contact: with.to_owned(),
        before: None,
        limit: 100,
    };
    let Some(Answer::History { messages, .. }) = bot.ask(command).await? else {
        return Err("Ben got no history.".into());
    };
    let texts: Vec<&str> = messages
        .iter()
        .map(|message| message.text.as_str())
        .collect();
    let expected = [QUESTION, REPLY, WAITING];
    // A greeting may stand before them.
    match texts.ends_with(&expected) && texts.len() <= expected.len() + 1 {
        true => Ok(()),
        false => Err(format!("Ben's history is {texts:?}.")),
    }
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

async fn stored(bot: &mut Bot, message: &str) -> Result<(), String> {
    let is = |delivery: &Delivery| matches!(delivery, Delivery::Stored { relays: 1.., .. });
    delivery(bot, message, "the relay's receipt", is).await
}

async fn delivered(bot: &mut Bot, message: &str) -> Result<(), String> {
    let is = |delivery: &Delivery| matches!(delivery, Delivery::Delivered { .. });
    delivery(bot, message, "the recipient's confirmation", is).await
}
