//! What publishers and watchers of all contenders share: commands, pace, and when what happened.
//!
//! Commands come by a line on standard input, answers go by a line to standard output:
//!
//! ```text
//! send FIRST COUNT RATE   a publisher sends these objects; answered by when each left (0: not)
//! count FIRST             a watcher: how many from FIRST on have come
//! times FIRST COUNT       a watcher: when each came (0: not)
//! ```

use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::sync::mpsc;
use tokio::time::Instant;

/// Bytes of an object's body; the first eight are its number.
pub const BODY: usize = 1024;

/// Unix time in nanoseconds: the same clock in all processes of a machine.
pub fn nanos() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| since.as_nanos() as u64)
}

/// Names and numbers of the lines that come. An empty line, or none any more, ends the process.
pub fn commands() -> mpsc::Receiver<(String, Vec<usize>)> {
    let (tell, commands) = mpsc::channel(4);
    tokio::spawn(async move {
        let mut lines = BufReader::new(tokio::io::stdin()).lines();
        while let Ok(Some(line)) = lines.next_line().await {
            let mut words = line.split_whitespace();
            let Some(name) = words.next().map(str::to_owned) else {
                break;
            };
            let numbers = words.map(|word| word.parse().expect("a number")).collect();
            let _ = tell.send((name, numbers)).await;
        }
        std::process::exit(0);
    });
    commands
}

fn say(times: &[u64]) {
    let words: Vec<String> = times.iter().map(u64::to_string).collect();
    println!("{}", words.join(" "));
}

/// What a publisher has to send, and when.
#[derive(Default)]
pub struct Pace {
    first: usize,
    rate: f64,
    started: Option<Instant>,
    count: usize,
    left: Vec<u64>,
}

impl Pace {
    pub fn begin(&mut self, numbers: &[usize]) {
        let &[first, count, rate] = numbers else {
            panic!("send FIRST COUNT RATE");
        };
        *self = Pace {
            first,
            count,
            rate: rate as f64,
            started: Some(Instant::now()),
            left: Vec::with_capacity(count),
        };
    }

    /// The object that is due, if one is.
    pub fn due(&self) -> Option<usize> {
        let due = self.started?.elapsed().as_secs_f64() * self.rate;
        let next = self.left.len();
        (next < self.count && next as f64 <= due).then_some(self.first + next)
    }

    /// It left at that time, or was not taken.
    pub fn sent(&mut self, left: Option<u64>) {
        self.left.push(left.unwrap_or(0));
    }

    pub fn all_sent(&self) -> bool {
        self.started.is_some() && self.left.len() == self.count
    }

    /// When the next one is due.
    pub async fn wait(&self) {
        match self.started {
            Some(started) if self.left.len() < self.count => {
                let at = Duration::from_secs_f64(self.left.len() as f64 / self.rate);
                tokio::time::sleep_until(started + at).await;
            }
            _ => std::future::pending().await,
        }
    }

    pub fn tell(&mut self) {
        say(&self.left);
        self.started = None;
    }
}

/// When which object came.
#[derive(Default)]
pub struct Seen(Vec<u64>);

impl Seen {
    pub fn came(&mut self, body: &[u8]) {
        let number = body.first_chunk().expect("a number in front");
        let number = u64::from_le_bytes(*number) as usize;
        if self.0.len() <= number {
            self.0.resize(number + 1, 0);
        }
        if self.0[number] == 0 {
            self.0[number] = nanos();
        }
    }

    fn from(&self, first: usize) -> &[u64] {
        self.0.get(first..).unwrap_or_default()
    }

    pub fn answer(&self, name: &str, numbers: &[usize]) {
        match (name, numbers) {
            ("count", &[first]) => {
                println!("{}", self.from(first).iter().filter(|at| **at > 0).count());
            }
            ("times", &[first, count]) => {
                let mut times = self.from(first).to_vec();
                times.resize(count, 0);
                say(&times);
            }
            _ => panic!("what is {name}?"),
        }
    }
}
