//! What the command line may say.

use clap::{Parser, Subcommand};
use shared::wire::RelayHint;
use std::ffi::OsString;
use std::path::PathBuf;

/// A messenger without servers.
#[derive(Parser)]
#[command(name = "wiremin", version)]
pub struct Args {
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Subcommand)]
pub enum Command {
    /// Run a relay, or show how it is: `wiremin relay status` (starts wiremin-relay with the same
    /// arguments; see `wiremin relay --help`)
    #[command(disable_help_flag = true)]
    Relay {
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<OsString>,
    },
    /// Run an account for scripts: commands as JSON lines in, events as JSON lines out
    Bot(BotArgs),
    /// Chat in the terminal: an account for people
    Chat(ChatArgs),
    /// Show the whole journey: relays and accounts as processes of their own, on loopback
    Demo(DemoArgs),
}

#[derive(clap::Args)]
pub struct BotArgs {
    /// Where the account is kept, encrypted
    #[arg(long, value_name = "DIR")]
    pub data: PathBuf,
    #[command(flatten)]
    pub network: NetworkArgs,
}

#[derive(clap::Args)]
pub struct ChatArgs {
    /// Where the account is kept, encrypted [default: a directory of the user's, such as
    /// ~/.local/share/wiremin/chat]
    #[arg(long, value_name = "DIR")]
    pub data: Option<PathBuf>,
    /// Read the passcode from this file, not from the terminal
    #[arg(long, value_name = "FILE")]
    pub passcode_file: Option<PathBuf>,
    /// From now on, open without the passcode for 20 hours
    #[arg(long)]
    pub remember: bool,
    #[command(flatten)]
    pub network: NetworkArgs,
}

/// Which network, and a way into it.
#[derive(clap::Args)]
pub struct NetworkArgs {
    /// A relay to use: its hint, or the address of its page (may be repeated)
    #[arg(long = "relay", value_name = "HINT|URL")]
    pub relays: Vec<RelayArg>,
    /// The network's name
    #[arg(long, value_name = "NAME", default_value = "main")]
    pub network: String,
}

#[derive(clap::Args)]
pub struct DemoArgs {
    /// Relays that know each other; a third of them is killed on the way (one is started again)
    #[arg(long, value_name = "N", default_value_t = 1,
          value_parser = clap::value_parser!(u8).range(1..=16))]
    pub relays: u8,
    /// Accounts, spread over the relays, each knowing its neighbours in a ring
    #[arg(long, value_name = "M", default_value_t = 2,
          value_parser = clap::value_parser!(u8).range(2..=16))]
    pub accounts: u8,
    /// Tell each step as a line of JSON
    #[arg(long)]
    pub json: bool,
}

/// A relay named on the command line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RelayArg {
    Hint(String),
    /// `host:port`, asked for its hint over plain HTTP.
    Host(String),
}

impl std::str::FromStr for RelayArg {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let text = text.trim();
        if let Some(rest) = text.strip_prefix("http://") {
            let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
            let bare = host.rsplit_once(':').is_none() || host.ends_with(']');
            let host = if bare {
                format!("{host}:80")
            } else {
                host.to_owned()
            };
            let port = host
                .rsplit_once(':')
                .map(|(name, port)| (name, port.parse::<u16>()));
            return match port {
                Some((name, Ok(port))) if !name.is_empty() && !name.contains('@') && port != 0 => {
                    Ok(RelayArg::Host(host))
                }
                _ => Err("give an address such as http://127.0.0.1:8420".into()),
            };
        }
        if text.starts_with("https://") {
            return Err(
                "https is not spoken here; give the relay's hint (it prints it at its start)"
                    .into(),
            );
        }
        match RelayHint::from_text(text) {
            Ok(_) => Ok(RelayArg::Hint(text.to_owned())),
            Err(_) => Err(
                "neither an address such as http://127.0.0.1:8420 nor a relay's hint (it prints \
                 it at its start)"
                    .into(),
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]

    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_holds_together() {
        Args::command().debug_assert();
    }

    #[test]
    fn relays_by_address_or_hint() {
        let parsed = |text: &str| text.parse::<RelayArg>();
        let host = |text: &str| Ok(RelayArg::Host(text.into()));
        assert_eq!(parsed("http://127.0.0.1:8420/"), host("127.0.0.1:8420"));
        assert_eq!(parsed(" http://[::1]:8420/x#y"), host("[::1]:8420"));
        assert_eq!(parsed("http://[::1]"), host("[::1]:80"));
        assert_eq!(parsed("http://relay.example"), host("relay.example:80"));
        let hint = RelayHint {
            address: "127.0.0.1".parse().unwrap(),
            port: 1,
            certificate: [1; 32],
            node_key: [2; 32],
        }
        .to_text();
        assert_eq!(parsed(&hint), Ok(RelayArg::Hint(hint.clone())));
        let bad = [
            "",
            "http://",
            "http://:80",
            "http://a:0",
            "http://a:99999",
            "http://a@b:80",
            "https://relay.example",
            "relay.example",
        ];
        for text in bad {
            assert!(parsed(text).is_err(), "{text}");
        }
    }
}
