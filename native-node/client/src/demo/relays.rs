//! The demo's relays: on loopback, each a process and a directory of its own, told of each other by
//! `--peer`.

use super::child::{in_time, spawn};
use crate::door;
use native_node::status::{self, Report};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::process::{Child, ChildStdin};

/// Peers that each relay has before the journey begins, if there are so many others.
const PEERS_MIN: usize = 4;
/// Relays that each one has proved by then, to name them to accounts.
const PROVED_MIN: usize = 2;
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// A relay process.
pub struct Relay {
    child: Child,
    _stdin: ChildStdin,
    pub port: u16,
}

impl Relay {
    /// Starts one on loopback; port 0 lets the system choose. `peers`: ports of others.
    pub async fn start(data: &Path, port: u16, peers: &[u16]) -> Result<Self, String> {
        let path = door::program().map_err(|error| error.to_string())?;
        let mut command = tokio::process::Command::new(&path);
        command
            .args([
                "--bind",
                "127.0.0.1",
                "--json",
                "--until-stdin-ends",
                "--no-lan",
                "--no-dht",
                "--port",
            ])
            .arg(port.to_string())
            .arg("--data")
            .arg(data);
        for peer in peers {
            command.arg("--peer").arg(format!("127.0.0.1:{peer}"));
        }
        let (child, stdin, mut lines) =
            spawn(&mut command).map_err(|error| door::missing(&path, &error))?;
        let line = in_time("The start of the relay", lines.next_line()).await?;
        let told = line.ok().flatten().and_then(|line| listening(&line));
        let port = told.ok_or("The relay did not start; its own words are above.")?;
        Ok(Self {
            child,
            _stdin: stdin,
            port,
        })
    }

    /// Kills it without warning, as a power cut would.
    pub async fn kill(mut self) -> Result<(), String> {
        let killed = self.child.kill().await;
        killed.map_err(|error| format!("The relay could not be killed ({error})."))
    }
}

fn listening(line: &str) -> Option<u16> {
    #[derive(serde::Deserialize)]
    struct Listening {
        port: u16,
    }
    let told: Listening = serde_json::from_str(line).ok()?;
    Some(told.port)
}

/// Relays by number, from 0.
pub struct Relays {
    dir: PathBuf,
    ports: Vec<u16>,
    /// `None`: it was killed.
    running: Vec<Option<Relay>>,
}

impl Relays {
    /// Each one is told of those before it.
    pub async fn start(dir: &Path, count: usize) -> Result<Self, String> {
        let mut relays = Self {
            dir: dir.to_owned(),
            ports: Vec::new(),
            running: Vec::new(),
        };
        for at in 0..count {
            let relay = Relay::start(&relays.data(at), 0, &relays.ports).await?;
            relays.ports.push(relay.port);
            relays.running.push(Some(relay));
        }
        Ok(relays)
    }

    fn data(&self, at: usize) -> PathBuf {
        self.dir.join(format!("relay{}", at + 1))
    }

    pub fn port(&self, at: usize) -> u16 {
        self.ports.get(at).copied().unwrap_or_default()
    }

    pub fn ports(&self) -> &[u16] {
        &self.ports
    }

    /// As a power cut would.
    pub async fn kill(&mut self, at: usize) -> Result<(), String> {
        match self.running.get_mut(at).and_then(Option::take) {
            Some(relay) => relay.kill().await,
            None => Ok(()),
        }
    }

    pub async fn restart(&mut self, at: usize) -> Result<(), String> {
        let relay = Relay::start(&self.data(at), self.port(at), &[]).await?;
        if let Some(place) = self.running.get_mut(at) {
            *place = Some(relay);
        }
        Ok(())
    }

    /// Waits until every relay says that it is linked to others, all of them to one whole. How many
    /// links there are among them.
    pub async fn linked(&self) -> Result<usize, String> {
        in_time("That the relays are linked to each other", async {
            loop {
                let reports = self.reports().await?;
                if are_linked(&reports) {
                    let ends: usize = reports.iter().map(|report| report.peers.len()).sum();
                    return Ok(ends / 2);
                }
                tokio::time::sleep(LOOK_EVERY).await;
            }
        })
        .await?
    }

    /// Waits until every relay says that it stores as many objects as the others. How many.
    pub async fn alike(&self) -> Result<u64, String> {
        in_time("That the relays store the same", async {
            loop {
                let reports = self.reports().await?;
                let mut objects = reports.iter().map(|report| report.stored.objects);
                let first = objects.next().unwrap_or_default();
                if objects.all(|other| other == first) {
                    return Ok(first);
                }
                tokio::time::sleep(LOOK_EVERY).await;
            }
        })
        .await?
    }

    async fn reports(&self) -> Result<Vec<Report>, String> {
        let mut reports = Vec::new();
        for at in 0..self.running.len() {
            let report = status::ask(&self.data(at)).await;
            reports.push(report.map_err(|error| error.to_string())?);
        }
        Ok(reports)
    }
}

fn are_linked(reports: &[Report]) -> bool {
    let others = reports.len().saturating_sub(1);
    let meets = |report: &Report| {
        report.peers.len() >= others.min(PEERS_MIN) && report.known.tried >= others.min(PROVED_MIN)
    };
    let mut reached: BTreeSet<&str> = reports
        .first()
        .map(|it| it.relay.as_str())
        .into_iter()
        .collect();
    for _ in reports {
        let near = reports
            .iter()
            .filter(|it| reached.contains(it.relay.as_str()));
        let further: Vec<&str> = near
            .flat_map(|it| it.peers.iter().map(|peer| peer.relay.as_str()))
            .collect();
        reached.extend(further);
    }
    reports
        .iter()
        .all(|it| meets(it) && reached.contains(it.relay.as_str()))
}
