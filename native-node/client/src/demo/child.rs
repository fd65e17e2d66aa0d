//! The demo's processes: a relay, and accounts that are driven through their JSON lines.
//!
//! Invariant: a child is killed when its value is dropped, and ends by itself when the demo is
//! killed (its standard input closes).

use crate::door;
use account::api::{Answer, Command, Event, Request};
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::process::{Child, ChildStdin, ChildStdout};

/// Only a bound on hanging: proof-of-work on a slow or busy machine takes long.
const PATIENCE: Duration = Duration::from_secs(180);

type Lines = tokio::io::Lines<BufReader<ChildStdout>>;

fn spawn(command: &mut tokio::process::Command) -> std::io::Result<(Child, ChildStdin, Lines)> {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit())
        .kill_on_drop(true)
        .spawn()?;
    let gone = || std::io::Error::other("its pipes are missing");
    let stdin = child.stdin.take().ok_or_else(gone)?;
    let stdout = child.stdout.take().ok_or_else(gone)?;
    Ok((child, stdin, BufReader::new(stdout).lines()))
}

async fn in_time<T>(what: &str, wait: impl Future<Output = T>) -> Result<T, String> {
    tokio::time::timeout(PATIENCE, wait)
        .await
        .map_err(|_| format!("{what} did not happen in {} s.", PATIENCE.as_secs()))
}

/// A relay process.
pub struct Relay {
    child: Child,
    _stdin: ChildStdin,
    pub port: u16,
}

impl Relay {
    /// Starts one on loopback; port 0 lets the system choose.
    pub async fn start(data: &Path, port: u16) -> Result<Self, String> {
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

/// An account in a process of its own.
pub struct Bot {
    name: &'static str,
    child: Child,
    stdin: ChildStdin,
    lines: Lines,
    told: Vec<Event>,
    next_id: u64,
}

impl Bot {
    pub fn start(name: &'static str, data: &Path, relay_port: u16) -> Result<Self, String> {
        let path = std::env::current_exe().map_err(|error| error.to_string())?;
        let mut command = tokio::process::Command::new(path);
        command
            .arg("bot")
            .arg("--data")
            .arg(data)
            .arg("--relay")
            .arg(format!("http://127.0.0.1:{relay_port}"));
        let (child, stdin, lines) = spawn(&mut command)
            .map_err(|error| format!("{name}'s process cannot be started ({error})."))?;
        Ok(Self {
            name,
            child,
            stdin,
            lines,
            told: Vec::new(),
            next_id: 0,
        })
    }

    /// How much was told so far, for [`Bot::wait_from`].
    pub fn mark(&self) -> usize {
        self.told.len()
    }

    /// The first thing told that `find` is happy with.
    pub async fn wait<T>(
        &mut self,
        what: &str,
        find: impl FnMut(&Event) -> Option<T>,
    ) -> Result<T, String> {
        self.wait_from(0, what, find).await
    }

    /// As `wait`, of what was told after the mark.
    pub async fn wait_from<T>(
        &mut self,
        mark: usize,
        what: &str,
        mut find: impl FnMut(&Event) -> Option<T>,
    ) -> Result<T, String> {
        if let Some(found) = self.told.iter().skip(mark).find_map(&mut find) {
            return Ok(found);
        }
        let what = format!("{}: {what}", self.name);
        in_time(&what, async {
            loop {
                let event = self.next().await?;
                let found = find(&event);
                self.told.push(event);
                if let Some(found) = found {
                    return Ok(found);
                }
            }
        })
        .await?
    }

    async fn next(&mut self) -> Result<Event, String> {
        let name = self.name;
        match self.lines.next_line().await {
            Ok(Some(line)) => serde_json::from_str(&line)
                .map_err(|error| format!("{name} told something that is no event ({error}).")),
            _ => Err(format!("{name}'s process ended too early.")),
        }
    }

    /// Gives a command and waits for its answer.
    pub async fn ask(&mut self, command: Command) -> Result<Option<Answer>, String> {
        self.next_id += 1;
        let id = self.next_id;
        let request = Request { id, command };
        let mut line = serde_json::to_vec(&request).map_err(|error| error.to_string())?;
        line.push(b'\n');
        let name = self.name;
        self.stdin
            .write_all(&line)
            .await
            .map_err(|error| format!("{name}'s process takes no commands ({error})."))?;
        self.wait("the answer to a command", |event| match event {
            Event::Done { id: done, answer } if *done == id => Some(Ok(answer.clone())),
            Event::Failed { id: failed, error } if *failed == id => {
                Some(Err(format!("{name}: {} {}", error.happened, error.todo)))
            }
            _ => None,
        })
        .await?
    }

    /// Closes its input and waits until it has ended, as it should.
    pub async fn close(self) -> Result<(), String> {
        let Self {
            name,
            mut child,
            stdin,
            mut lines,
            ..
        } = self;
        drop(stdin);
        let end = async {
            // Its output must not be full for it to end.
            while let Ok(Some(_)) = lines.next_line().await {}
            child.wait().await
        };
        match in_time(&format!("The end of {name}'s process"), end).await? {
            Ok(status) if status.success() => Ok(()),
            Ok(status) => Err(format!("{name}'s process ended with {status}.")),
            Err(error) => Err(format!("{name}'s process is lost ({error}).")),
        }
    }
}
