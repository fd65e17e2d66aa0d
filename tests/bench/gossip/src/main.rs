//! The relay beside rust-libp2p's gossipsub over QUIC, on loopback, in one run.
//!
//!     tests/bench/gossip/run.sh [race | swarm] [ROUNDS]
//!
//! *race*: a publisher, what is in the middle, and a watcher, three processes for each contender;
//! 1 KiB an object. The contenders take turns; the figures are medians over the rounds, the ratios
//! medians of the rounds' ratios. Ours is the relay as it is shipped but for the page: core,
//! driver, store, QUIC. It checks work and body, commits durably, signs a receipt for the
//! publisher, and pushes to the watcher meanwhile. Work was done beforehand, little of it, which
//! makes the check no cheaper. Its publisher uses as few links as will do, 32 at most, since a link
//! has 16 unanswered puts at most. Gossipsub's defaults stand, signatures included; it keeps
//! nothing. Ours with its database in memory (`/dev/shm`) and gossipsub without signatures run
//! along, to show what waiting for the disk and what signatures cost.
//!
//! *swarm*: what is sent for each delivered copy of 1 KiB among a hundred: see `swarm.rs`.

mod gossip;
mod ours;
mod pace;
mod race;
mod stage;
mod swarm;

use native_node::process;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let runtime = match words[..] {
        // As the relay that is shipped.
        ["ours", "middle"] => process::relay_runtime(),
        _ => tokio::runtime::Runtime::new(),
    };
    runtime.expect("threads").block_on(run(&words));
}

async fn run(words: &[&str]) {
    match words[..] {
        ["ours", "middle"] => ours::middle().await,
        ["ours", "watcher", at] => ours::watcher(at).await,
        ["ours", "publisher", at] => ours::publisher(at).await,
        ["gossip", signed, "middle"] => gossip::middle(signed).await,
        ["gossip", signed, "watcher", at] => gossip::watcher(signed, at).await,
        ["gossip", signed, "publisher", at] => gossip::publisher(signed, at).await,
        ["swarm"] => swarm::run().await,
        ["race"] => race::run(race::ROUNDS),
        ["race", rounds] => race::run(rounds.parse().expect("a number of rounds")),
        _ => {
            race::run(race::ROUNDS);
            swarm::run().await;
        }
    }
}
