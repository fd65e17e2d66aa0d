//! A running `wiremin chat`, in pipes or in a terminal.

use super::WIREMIN;
use std::io::{Read, Write};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

/// Only a bound on hanging: proof-of-work on a slow or busy machine takes long.
const PATIENCE: Duration = Duration::from_secs(180);

pub struct Chat {
    pub child: Child,
    input: Option<Box<dyn Write>>,
    output: Receiver<Vec<u8>>,
    pub told: String,
    /// Up to where `wait` has looked.
    seen: usize,
}

/// `wiremin chat` with these arguments.
pub fn command(data: &Path, more: &[&str]) -> Command {
    let mut command = Command::new(WIREMIN);
    command.args(["chat", "--data"]).arg(data).args(more);
    command
}

impl Chat {
    /// In pipes.
    pub fn start(data: &Path, more: &[&str]) -> Self {
        let mut command = command(data, more);
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let input = Box::new(child.stdin.take().unwrap());
        let output = child.stdout.take().unwrap();
        Self::new(child, input, output)
    }

    /// Whatever its input and output are.
    pub fn new(
        child: Child,
        input: Box<dyn Write>,
        mut output: impl Read + Send + 'static,
    ) -> Self {
        let (sender, receiver) = channel();
        std::thread::spawn(move || {
            let mut bytes = [0; 4_096];
            // A terminal whose program has ended gives an error.
            while let Ok(length @ 1..) = output.read(&mut bytes) {
                if sender.send(bytes[..length].to_vec()).is_err() {
                    return;
                }
            }
        });
        Self {
            child,
            input: Some(input),
            output: receiver,
            told: String::new(),
            seen: 0,
        }
    }

    pub fn say(&mut self, line: &str) {
        let input = self.input.as_mut().unwrap();
        input.write_all(line.as_bytes()).unwrap();
        input.write_all(b"\n").unwrap();
    }

    /// Waits until that is told, after what was waited for before; gives what stands behind it so
    /// far.
    pub fn wait(&mut self, text: &str) -> String {
        loop {
            if let Some(at) = self.told[self.seen..].find(text) {
                self.seen += at + text.len();
                return self.told[self.seen..].to_owned();
            }
            self.read(text);
        }
    }

    /// Presses a key until that is told: one that comes between two prompts is the terminal's.
    pub fn press(&mut self, key: &str, text: &str) {
        let begun = Instant::now();
        while !self.told[self.seen..].contains(text) {
            assert!(begun.elapsed() < PATIENCE, "no {text:?}: {}", self.told);
            self.say(key);
            while let Ok(bytes) = self.output.recv_timeout(Duration::from_millis(300)) {
                self.told += &String::from_utf8_lossy(&bytes);
            }
        }
        self.wait(text);
    }

    /// Waits until that is told, whatever else was before.
    pub fn wait_anywhere(&mut self, text: &str) {
        while !self.told.contains(text) {
            self.read(text);
        }
    }

    fn read(&mut self, wanted: &str) {
        match self.output.recv_timeout(PATIENCE) {
            Ok(bytes) => self.told += &String::from_utf8_lossy(&bytes),
            Err(RecvTimeoutError::Timeout) => panic!("no {wanted:?}: {}", self.told),
            Err(error) => panic!("{error}, no {wanted:?}: {}", self.told),
        }
    }

    /// Makes an account.
    pub fn create(&mut self, name: &str, passcode: &str) {
        self.wait("(new/restore)");
        self.say("new");
        self.wait("written them down");
        let words = self.words();
        self.say(&format!("{} {}", words[0], words[17]));
        self.wait("as contacts see it");
        self.say(name);
        self.wait("8 characters or more");
        self.say(passcode);
        self.wait("The same again");
        self.say(passcode);
        self.wait(&format!("You are {name}"));
    }

    /// The 18 words that it showed.
    pub fn words(&self) -> Vec<String> {
        let words: Vec<&str> = self.told.split_whitespace().collect();
        let word = |number: usize| {
            let place = words.iter().position(|word| *word == format!("{number}."));
            words[place.unwrap() + 1].to_owned()
        };
        (1..=18).map(word).collect()
    }

    /// Waits until all is told, and it has ended.
    pub fn end(mut self) -> (ExitStatus, String) {
        drop(self.input.take());
        while let Ok(bytes) = self.output.recv_timeout(PATIENCE) {
            self.told += &String::from_utf8_lossy(&bytes);
        }
        (self.child.wait().unwrap(), std::mem::take(&mut self.told))
    }

    /// Without warning.
    pub fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Chat {
    fn drop(&mut self) {
        // A test that failed leaves nothing behind.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
