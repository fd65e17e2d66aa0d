//! Three processes of one contender, and what is asked of them.

use std::io::{BufRead, BufReader, Lines, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

/// How long what was sent may take to come before it counts as lost.
const LOST_AFTER: Duration = Duration::from_secs(2);
/// Attempts to set up three processes.
const TRIES: usize = 10;
/// Clock ticks a second of /proc/PID/stat, on every Linux there is.
const TICKS: f64 = 100.0;

/// Who is compared.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Contender {
    Ours,
    /// Its database is in memory.
    OursInMemory,
    Gossip,
    GossipUnsigned,
}

impl Contender {
    pub const ALL: [Self; 4] = [
        Self::Ours,
        Self::Gossip,
        Self::OursInMemory,
        Self::GossipUnsigned,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Self::Ours => "relay, durable",
            Self::OursInMemory => "relay, database in /dev/shm",
            Self::Gossip => "gossipsub",
            Self::GossipUnsigned => "gossipsub without signatures",
        }
    }

    fn words(self) -> &'static [&'static str] {
        match self {
            Self::Ours | Self::OursInMemory => &["ours"],
            Self::Gossip => &["gossip", "signed"],
            Self::GossipUnsigned => &["gossip", "unsigned"],
        }
    }
}

struct Actor {
    child: Child,
    input: ChildStdin,
    output: Lines<BufReader<ChildStdout>>,
}

impl Actor {
    fn start(contender: Contender, role: &[&str]) -> (Self, String) {
        let mut command = Command::new(std::env::current_exe().expect("this program"));
        command.args(contender.words()).args(role);
        if contender == Contender::OursInMemory {
            command.env("TMPDIR", "/dev/shm");
        }
        let piped = command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = piped.spawn().expect("a process");
        let input = child.stdin.take().expect("its input");
        let output = BufReader::new(child.stdout.take().expect("its output"));
        let mut actor = Self {
            child,
            input,
            output: output.lines(),
        };
        let first = actor.hear();
        (actor, first)
    }

    fn hear(&mut self) -> String {
        self.output
            .next()
            .expect("a process that lives")
            .expect("a line")
    }

    fn ask(&mut self, line: String) -> Vec<u64> {
        writeln!(self.input, "{line}").expect("a process that lives");
        let answer = self.hear();
        let numbers = answer.split_whitespace();
        numbers
            .map(|word| word.parse().expect("a number"))
            .collect()
    }
}

/// Publisher, middle and watcher, linked.
pub struct Stage {
    middle: Actor,
    publisher: Actor,
    watcher: Actor,
    next: usize,
}

/// What became of some objects.
pub struct Outcome {
    /// Those that came.
    pub came: usize,
    pub sent: usize,
    /// From the first that left to the last that came, seconds.
    pub took: f64,
    /// Of each that came, seconds, in ascending order.
    pub latencies: Vec<f64>,
    /// Of the process in the middle, seconds.
    pub cpu: f64,
}

impl Stage {
    /// Opened anew until what is sent comes: now and then a mesh does not form for seconds.
    pub fn open(contender: Contender) -> Self {
        for _ in 0..TRIES {
            let mut stage = Self::start(contender);
            let warm = stage.send(500, 500);
            if warm.came == warm.sent {
                return stage;
            }
        }
        panic!("{} loses objects", contender.name());
    }

    fn start(contender: Contender) -> Self {
        let (middle, at) = Actor::start(contender, &["middle"]);
        let (watcher, _) = Actor::start(contender, &["watcher", &at]);
        let (publisher, _) = Actor::start(contender, &["publisher", &at]);
        // The mesh of three has formed, or the links are up; what they still say to each other
        // is said.
        std::thread::sleep(Duration::from_millis(1500));
        Self {
            middle,
            publisher,
            watcher,
            next: 0,
        }
    }

    /// Objects not sent yet.
    pub fn next(&self) -> usize {
        self.next
    }

    /// Sends so many objects at so many a second.
    pub fn send(&mut self, count: usize, rate: usize) -> Outcome {
        let first = self.next;
        self.next += count;
        let before = self.middle_cpu();
        let left = self.publisher.ask(format!("send {first} {count} {rate}"));
        let wait = Instant::now();
        while wait.elapsed() < LOST_AFTER {
            let came = self.watcher.ask(format!("count {first}"));
            if came[0] as usize >= count {
                break;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        let cpu = self.middle_cpu() - before;
        let came = self.watcher.ask(format!("times {first} {count}"));
        let both = |(left, came): &(&u64, &u64)| **left > 0 && **came > 0;
        let pairs = left.iter().zip(&came).filter(both);
        let late = |(left, came): (&u64, &u64)| came.saturating_sub(*left) as f64 / 1e9;
        let mut latencies: Vec<f64> = pairs.map(late).collect();
        latencies.sort_by(f64::total_cmp);
        let begun = left.iter().copied().find(|left| *left > 0).unwrap_or(0);
        let last = came.iter().max().copied().unwrap_or(0);
        Outcome {
            came: latencies.len(),
            sent: count,
            took: last.saturating_sub(begun) as f64 / 1e9,
            latencies,
            cpu,
        }
    }

    fn middle_cpu(&self) -> f64 {
        let path = format!("/proc/{}/stat", self.middle.child.id());
        let stat = std::fs::read_to_string(path).expect("a process that lives");
        // The name may have spaces; behind it come 11 fields, then user and system time.
        let (_, fields) = stat.rsplit_once(')').expect("a name");
        let fields: Vec<&str> = fields.split_whitespace().collect();
        let ticks = |at: usize| fields[at].parse::<f64>().expect("a number");
        (ticks(11) + ticks(12)) / TICKS
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        for actor in [&mut self.publisher, &mut self.watcher] {
            let _ = actor.child.kill();
            let _ = actor.child.wait();
        }
        // It removes its directory.
        let _ = writeln!(self.middle.input);
        let _ = self.middle.child.wait();
    }
}
