//! The journey: from no account to a message that waited while its reader was away and the relay
//! was killed.

use super::bot::Bot;
use super::relays::Relay;
use super::steps::*;
use super::tell::Teller;
use account::api::{Answer, Command};
use std::path::Path;

const ANNA: &str = "Anna";
const BEN: &str = "Ben";
const GREETING: &str = "Hello Anna, it is Ben from the library.";
const QUESTION: &str =
    "Did you find the book? \u{1f4da} Καλημέρα, \u{645}\u{631}\u{62d}\u{628}\u{627}.";
const REPLY: &str = "Yes!\n\tTwo lines, \"quotes\", a \\ and e\u{301} as two characters.";
/// Sent while Ben is away.
const WAITING: &str = "This waited for you. \u{1f469}\u{200d}\u{1f680} \u{feff}Zero\u{200b}width. ";
const THANKS: &str = "It is here.";

/// Goes all the way, or says in a sentence where it ended.
pub async fn travel(teller: &mut Teller, dir: &Path) -> Result<(), String> {
    let relay = Relay::start(&dir.join("relay"), 0, &[]).await?;
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

    let (id, link) = invite(&mut anna).await?;
    published(&mut anna, &id).await?;
    teller.done(
        "invitation",
        "Anna's invitation is on the relay, and she has a link to it.",
    );
    open(&mut ben, &link, ANNA).await?;
    teller.done("opened", "Ben opened the link and sees that it is Anna's.");
    let anna_id = greet(&mut ben, &link, GREETING).await?;
    teller.done("greeted", "Ben greeted her.");
    let ben_id = accept(&mut anna, BEN, GREETING).await?;
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
    let _relay = Relay::start(&dir.join("relay"), port, &[]).await?;
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
