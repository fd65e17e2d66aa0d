//! Two relays that meet in a DHT on this machine alone.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use native_node::find::{DhtOptions, FindOptions};
use native_node::relay::{RelayOptions, RunningRelay};
use native_node::scratch::Scratch;
use native_node::status;
use std::time::Duration;

/// Only a bound on hanging.
const PATIENCE: Duration = Duration::from_secs(180);

async fn start(data: &Scratch, entry: &str) -> RunningRelay {
    let dht = DhtOptions {
        bootstrap: vec![entry.parse().unwrap()],
        announces: true,
    };
    let options = RelayOptions {
        data: data.path().to_owned(),
        bind: vec!["127.0.0.1".parse().unwrap()],
        port: 0,
        advertise: None,
        hosts: Vec::new(),
        network: "test".to_owned(),
        store_bytes_max: 1 << 20,
        find: FindOptions {
            dht: Some(dht),
            ..FindOptions::default()
        },
    };
    RunningRelay::start(options).await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn relays_of_a_private_dht_are_linked() {
    let testnet = || mainline::Testnet::builder(10).build().unwrap();
    let testnet = tokio::task::spawn_blocking(testnet).await.unwrap();
    let entry = testnet.bootstrap.first().unwrap();
    let (one, two) = (Scratch::new("dht").unwrap(), Scratch::new("dht").unwrap());
    let first = start(&one, entry).await;
    let second = start(&two, entry).await;
    let linked = async {
        while status::ask(two.path()).await.unwrap().peers.is_empty() {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    let linked = tokio::time::timeout(PATIENCE, linked).await;
    linked.expect("they meet");
    let (one, two) = (status::ask(one.path()), status::ask(two.path()));
    let (one, two) = (one.await.unwrap(), two.await.unwrap());
    assert_eq!(two.peers.first().unwrap().relay, one.relay);
    second.stop().await;
    first.stop().await;
}
