//! What a person typed: a command, or a text for the contact at hand.

/// Hours that an invitation may be valid, and how that is typed.
const VALID: [(&str, u32); 4] = [("1h", 1), ("1d", 24), ("7d", 168), ("30d", 720)];

/// All commands, for people.
pub const HELP: &str = "\
What does not begin with / is sent to the contact before the >. //text sends /text.
  /invite [1h|1d|7d|30d] [once]  make an invitation link (1d if nothing is said; for one person)
  /invites, /revoke N            your invitations; take one back
  /open LINK, /greet TEXT        look at somebody's invitation; write to them for the first time
  /greetings                     who wants to talk: /accept N, /decline N or /block N
  /contacts, /to NAME            whom you know; whom you write to
  /history [N]                   the last N messages (20)
  /safety                        the number to compare, to be sure who the contact is
  /confirm                       it is them: send what waits since the contact came back
  /cancel N, /retry N            stop sending message N; send it again
  /name [NAME]                   your name, as contacts see it
  /relays, /relay HINT           the relays in use; use another one
  /quit                          leave (also Ctrl-D, or Ctrl-C twice)";

#[derive(Debug, PartialEq, Eq)]
pub enum Typed {
    Blank,
    Text(String),
    Help,
    Invite {
        hours: u32,
        once: bool,
    },
    Invites,
    Revoke(usize),
    Open(String),
    Greet(String),
    Greetings,
    Accept(usize),
    Decline(usize),
    Block(usize),
    Contacts,
    To(String),
    History(u32),
    Safety,
    Confirm,
    Cancel(usize),
    Retry(usize),
    Name(Option<String>),
    Relays,
    Relay(String),
    Quit,
    /// Why it is none of these.
    Wrong(String),
}

/// Messages shown by `/history` alone.
const HISTORY: u32 = 20;

pub fn typed(line: &str) -> Typed {
    if line.trim().is_empty() {
        return Typed::Blank;
    }
    match line.strip_prefix('/') {
        None => return Typed::Text(line.to_owned()),
        Some(rest) if rest.starts_with('/') => return Typed::Text(rest.to_owned()),
        Some(_) => {}
    }
    let (name, rest) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
    let rest = rest.trim();
    let some = |make: fn(String) -> Typed, what: &str| match rest {
        "" => Typed::Wrong(format!("Say what: {name} {what}.")),
        rest => make(rest.to_owned()),
    };
    let number = |make: fn(usize) -> Typed| match rest.parse() {
        Ok(number) => make(number),
        Err(_) => Typed::Wrong(format!("Say which by its number: {name} 1.")),
    };
    match name {
        "/help" | "/?" => Typed::Help,
        "/invite" => invite(rest),
        "/invites" => Typed::Invites,
        "/revoke" => number(Typed::Revoke),
        "/open" => some(Typed::Open, "LINK"),
        "/greet" => some(Typed::Greet, "TEXT"),
        "/greetings" => Typed::Greetings,
        "/accept" => number(Typed::Accept),
        "/decline" => number(Typed::Decline),
        "/block" => number(Typed::Block),
        "/contacts" => Typed::Contacts,
        "/to" => some(Typed::To, "NAME"),
        "/history" => match (rest, rest.parse()) {
            ("", _) => Typed::History(HISTORY),
            (_, Ok(limit)) => Typed::History(limit),
            _ => Typed::Wrong("Say how many messages: /history 50.".into()),
        },
        "/safety" => Typed::Safety,
        "/confirm" => Typed::Confirm,
        "/cancel" => number(Typed::Cancel),
        "/retry" => number(Typed::Retry),
        "/name" => Typed::Name((!rest.is_empty()).then(|| rest.to_owned())),
        "/relays" => Typed::Relays,
        "/relay" => some(Typed::Relay, "HINT"),
        "/quit" | "/exit" => Typed::Quit,
        _ => Typed::Wrong(format!(
            "There is no command {name}. /help lists them; to send a text that begins with /, \
             begin it with //."
        )),
    }
}

fn invite(rest: &str) -> Typed {
    let (mut hours, mut once) = (24, false);
    for word in rest.split_whitespace() {
        match VALID.iter().find(|(name, _)| *name == word) {
            Some((_, valid)) => hours = *valid,
            None if word == "once" => once = true,
            None => {
                return Typed::Wrong("Say how long it is valid: /invite 1h, 1d, 7d or 30d.".into());
            }
        }
    }
    Typed::Invite { hours, once }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_and_commands() {
        let text = |text: &str| Typed::Text(text.into());
        assert_eq!(typed("  \t"), Typed::Blank);
        assert_eq!(typed(" hello /help"), text(" hello /help"));
        assert_eq!(typed("//shrug"), text("/shrug"));
        assert_eq!(typed("/to  Ann B. "), Typed::To("Ann B.".into()));
        assert_eq!(typed("/accept 3"), Typed::Accept(3));
        assert_eq!(typed("/name"), Typed::Name(None));
        assert_eq!(typed("/history"), Typed::History(HISTORY));
        let (hours, once) = (168, true);
        assert_eq!(typed("/invite once 7d"), Typed::Invite { hours, once });
        let (hours, once) = (24, false);
        assert_eq!(typed("/invite"), Typed::Invite { hours, once });
    }

    #[test]
    fn what_is_wrong_is_not_sent() {
        for line in [
            "/",
            "/fly",
            "/accept",
            "/accept Ann",
            "/accept -1",
            "/invite forever",
            "/open",
            "/to ",
            "/history many",
            "/HELP",
        ] {
            assert!(matches!(typed(line), Typed::Wrong(_)), "{line}");
        }
    }

    #[test]
    fn every_command_of_the_help_exists() {
        let commands = HELP.lines().skip(1);
        let words = commands.flat_map(|line| line.split([' ', ',', ':']));
        let mut count = 0;
        for name in words.filter(|word| word.starts_with('/') && word.len() > 1) {
            let text = "There is no command";
            assert!(
                !matches!(typed(name), Typed::Wrong(why) if why.starts_with(text)),
                "{name}"
            );
            count += 1;
        }
        assert_eq!(count, 20);
    }
}
