//! The relay: stores and hands out what it cannot read, and serves the page.

use clap::{Parser, Subcommand};
use native_node::find::{DhtOptions, FindOptions, Place, lan};
use native_node::http::{self, Advertise, HostName};
use native_node::relay::{PORT_DEFAULT, RelayOptions, RunningRelay};
use native_node::{process, status};
use shared::limits::STORE_BYTES_DEFAULT;
use std::net::IpAddr;
use std::path::PathBuf;
use std::process::ExitCode;

/// Stores and forwards messages that it cannot read, and serves the page to browsers.
#[derive(Parser)]
#[command(
    name = "wiremin-relay",
    version,
    args_conflicts_with_subcommands = true
)]
struct Args {
    #[command(subcommand)]
    command: Option<Command>,
    /// TCP port of the page, UDP port of WebRTC and QUIC, the same number; 0: any free one
    #[arg(long, value_name = "PORT", default_value_t = PORT_DEFAULT)]
    port: u16,
    /// Where messages and the relay's keys are kept [default: the user's data directory]
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Listen on this address only (may be repeated) [default: all]
    #[arg(long, value_name = "IP", value_parser = bind_address)]
    bind: Vec<IpAddr>,
    /// The address others reach this relay at, if it is another one (behind a NAT)
    #[arg(long, value_name = "IP[:PORT]")]
    advertise: Option<Advertise>,
    /// A name by which browsers may ask for the page over http (may be repeated). Addresses,
    /// localhost and local names may be used without, and any name over https by a reverse proxy
    #[arg(long = "host", value_name = "NAME")]
    hosts: Vec<HostName>,
    /// The network's name; only relays and accounts of one network understand each other
    #[arg(long, value_name = "NAME", default_value = "main")]
    network: String,
    /// Another relay to exchange messages with (may be repeated)
    #[arg(long = "peer", value_name = "HOST[:PORT]")]
    peers: Vec<Place>,
    /// Neither say on the local network that there is a relay, nor listen for others there
    #[arg(long)]
    no_lan: bool,
    /// Another UDP port for that
    #[arg(long, hide = true, value_name = "PORT", default_value_t = lan::PORT)]
    lan_port: u16,
    /// Neither announce this relay in the BitTorrent DHT, nor look for others there
    #[arg(long)]
    no_dht: bool,
    /// Enter the DHT here (may be repeated) [default: its well-known nodes]
    #[arg(long, value_name = "HOST:PORT", conflicts_with = "no_dht", value_parser = dht_entry)]
    dht_bootstrap: Vec<Place>,
    /// Most megabytes of messages to keep
    #[arg(long, value_name = "MB", default_value_t = STORE_BYTES_DEFAULT >> 20,
          value_parser = clap::value_parser!(u64).range(1..=1 << 30))]
    store_mb: u64,
    /// Say where it listens as one line of JSON
    #[arg(long)]
    json: bool,
    /// End when standard input does: for programs that start a relay and may be killed
    #[arg(long, hide = true)]
    until_stdin_ends: bool,
}

#[derive(Subcommand)]
enum Command {
    /// Show how the relay is that runs with a data directory: its peers, store, links, traffic
    Status {
        /// The relay's data directory [default: the user's]
        #[arg(long, value_name = "DIR")]
        data: Option<PathBuf>,
        /// As one line of JSON
        #[arg(long)]
        json: bool,
    },
}

/// The DHT has no usual port, so it has to be named.
fn dht_entry(text: &str) -> Result<Place, String> {
    let has_port = text.parse::<IpAddr>().is_err() && text.contains(':');
    match text.parse() {
        Ok(place) if has_port => Ok(place),
        _ => Err("give an IPv4 address or a name, and a port, such as dht.example:6881".into()),
    }
}

/// Without a port, which is the same for all.
fn bind_address(text: &str) -> Result<IpAddr, String> {
    let bare = text.strip_prefix('[').and_then(|t| t.strip_suffix(']'));
    let address = bare.unwrap_or(text).parse();
    address.map_err(|_| {
        "give an IP address alone, such as 192.168.1.5 or ::1 (the port: --port)".into()
    })
}

impl Args {
    fn options(self, data: PathBuf) -> RelayOptions {
        let dht = DhtOptions {
            bootstrap: self.dht_bootstrap,
            announces: true,
        };
        RelayOptions {
            data,
            bind: self.bind,
            port: self.port,
            advertise: self.advertise,
            hosts: self.hosts,
            network: self.network,
            store_bytes_max: self.store_mb << 20,
            find: FindOptions {
                peers: self.peers,
                lan: (!self.no_lan).then_some(self.lan_port),
                dht: (!self.no_dht).then_some(dht),
            },
        }
    }
}

/// Said when the relay ended by itself.
const FAULT: &str = "The relay ended because of a fault of its own. What it stored is safe. Start \
    it again; if that does not help, set WIREMIN_LOG=debug to see why.";

fn main() -> ExitCode {
    let args = Args::parse();
    process::start_log();
    match process::relay_runtime() {
        // It is dropped in the end, which waits for what still writes.
        Ok(runtime) => runtime.block_on(run(args)),
        Err(error) => process::no_runtime(&error),
    }
}

async fn run(args: Args) -> ExitCode {
    if let Some(Command::Status { data, json }) = args.command {
        return match data_dir(data) {
            Some(data) => show(&data, json).await,
            None => ExitCode::FAILURE,
        };
    }
    let Some(data) = data_dir(args.data.clone()) else {
        return ExitCode::FAILURE;
    };
    // Heard from the first moment on, so that an early signal is not lost.
    let (watches_stdin, json) = (args.until_stdin_ends, args.json);
    let ended = async {
        tokio::select! {
            () = process::asked_to_end() => {}
            () = process::stdin_ended(), if watches_stdin => {}
        }
    };
    tokio::pin!(ended);
    let started = tokio::select! {
        started = RunningRelay::start(args.options(data.clone())) => started,
        () = &mut ended => return ExitCode::SUCCESS,
    };
    let mut relay = match started {
        Ok(relay) => relay,
        Err(error) => {
            eprintln!("{error}");
            return ExitCode::FAILURE;
        }
    };
    announce(&relay, &data, json);
    let code = tokio::select! {
        () = ended => ExitCode::SUCCESS,
        () = relay.ended() => {
            eprintln!("{FAULT}");
            ExitCode::FAILURE
        }
    };
    tracing::info!("ending: writing what is not on disk yet");
    process::end(relay.stop()).await;
    code
}

/// The chosen directory or the user's; none, and says so, where that is not known.
fn data_dir(chosen: Option<PathBuf>) -> Option<PathBuf> {
    let data = chosen.or_else(|| process::data_dir("relay"));
    if data.is_none() {
        eprintln!(
            "The user's data directory is not known: HOME is not set. Nothing was changed. \
             Choose a directory with --data."
        );
    }
    data
}

async fn show(data: &std::path::Path, json: bool) -> ExitCode {
    let report = match status::ask(data).await {
        Ok(report) => report,
        Err(error) => {
            eprintln!("{error}");
            return ExitCode::FAILURE;
        }
    };
    let text = match json {
        true => serde_json::to_string(&report).map(|line| line + "\n"),
        false => Ok(status::text(&report)),
    };
    match text
        .map_err(std::io::Error::from)
        .and_then(|text| print(&text))
    {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

fn print(text: &str) -> std::io::Result<()> {
    use std::io::Write;
    let mut out = std::io::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()
}

fn announce(relay: &RunningRelay, data: &std::path::Path, json: bool) {
    let (open, hint) = (relay.open_url(), relay.hint());
    let text = if json {
        let line = serde_json::json!({
            "event": "listening",
            "open": open,
            "port": relay.port(),
            "hint": hint.to_text(),
            "page": http::is_embedded(),
        });
        format!("{line}\n")
    } else {
        let page = match http::is_embedded() {
            true => "",
            false => "\n(The page is not in this build: `make relay` puts it in.)",
        };
        format!(
            "The relay is running. Open this address in a browser:\n\n    {open}\n\n\
             hint  {}   ({})\ndata  {}\n{}{page}\nCtrl-C ends it; what it stores is kept.\n",
            hint.to_text(),
            hint.address_text(),
            data.display(),
            relay.shown(),
        )
    };
    // A closed output is no reason to end.
    let _ = print(&text);
}
