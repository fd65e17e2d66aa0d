//! The demo's accounts: each a `wiremin bot`, driven through its JSON lines.
//!
//! Invariant: what an account tells is read at once, whoever waits for it, so its time is right.

use super::child::{Lines, in_time, spawn};
use account::api::{Answer, Command, Event, Request};
use std::path::Path;
use std::time::Instant;
use tokio::io::AsyncWriteExt;
use tokio::process::{Child, ChildStdin};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

/// An account in a process of its own.
pub struct Bot {
    name: &'static str,
    child: Child,
    stdin: ChildStdin,
    reader: JoinHandle<()>,
    /// Bounded by what one journey makes an account tell.
    events: mpsc::UnboundedReceiver<Told>,
    told: Vec<(Instant, Event)>,
    next_id: u64,
}

/// What was told and when, or why it is no event.
type Told = Result<(Instant, Event), String>;

async fn read(mut lines: Lines, events: mpsc::UnboundedSender<Told>) {
    while let Ok(Some(line)) = lines.next_line().await {
        let event = serde_json::from_str(&line);
        let told = event.map_err(|error| format!("something that is no event ({error})"));
        // Nobody wants to know any more.
        let _ = events.send(told.map(|event| (Instant::now(), event)));
    }
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
        let (sender, events) = mpsc::unbounded_channel();
        Ok(Self {
            name,
            child,
            stdin,
            reader: tokio::spawn(read(lines, sender)),
            events,
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
        find: impl FnMut(&Event) -> Option<T>,
    ) -> Result<T, String> {
        let (_, found) = self.when(mark, what, find).await?;
        Ok(found)
    }

    /// As `wait_from`, and when that was told.
    pub async fn when<T>(
        &mut self,
        mark: usize,
        what: &str,
        mut find: impl FnMut(&Event) -> Option<T>,
    ) -> Result<(Instant, T), String> {
        let mut told = self.told.iter().skip(mark);
        if let Some(found) = told.find_map(|(at, event)| Some((*at, find(event)?))) {
            return Ok(found);
        }
        let what = format!("{}: {what}", self.name);
        in_time(&what, async {
            loop {
                let (at, event) = self.next().await?;
                let found = find(&event);
                self.told.push((at, event));
                if let Some(found) = found {
                    return Ok((at, found));
                }
            }
        })
        .await?
    }

    /// All that was told so far.
    pub fn told(&mut self) -> impl Iterator<Item = &Event> {
        while let Ok(Ok(told)) = self.events.try_recv() {
            self.told.push(told);
        }
        self.told.iter().map(|(_, event)| event)
    }

    async fn next(&mut self) -> Result<(Instant, Event), String> {
        let name = self.name;
        match self.events.recv().await {
            Some(told) => told.map_err(|error| format!("{name} told {error}.")),
            None => Err(format!("{name}'s process ended too early.")),
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
            reader,
            ..
        } = self;
        drop(stdin);
        let end = async {
            // Its output must not be full for it to end.
            let _ = reader.await;
            child.wait().await
        };
        match in_time(&format!("The end of {name}'s process"), end).await? {
            Ok(status) if status.success() => Ok(()),
            Ok(status) => Err(format!("{name}'s process ended with {status}.")),
            Err(error) => Err(format!("{name}'s process is lost ({error}).")),
        }
    }
}
