//! Starting the programs under test.

pub mod chat;
pub mod relay;

use native_node::scratch::Scratch;
use serde_json::Value;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Output, Stdio};

/// The `wiremin` program.
pub const WIREMIN: &str = env!("CARGO_BIN_EXE_wiremin");

/// A directory on the disk the programs are on.
pub fn scratch() -> Scratch {
    Scratch::new("test").unwrap()
}

/// Runs `wiremin` with these arguments and this input to its end.
pub fn wiremin(arguments: &[&str], input: &[u8]) -> Output {
    let mut child = Command::new(WIREMIN)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // It may have refused its arguments and be gone.
    let _ = child.stdin.take().unwrap().write_all(input);
    child.wait_with_output().unwrap()
}

/// The lines of an output, each of which must be JSON.
pub fn events(output: &[u8]) -> Vec<Value> {
    let text = std::str::from_utf8(output).unwrap();
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

/// A running bot.
pub struct Bot {
    child: Child,
    stdin: Option<ChildStdin>,
    stdout: BufReader<ChildStdout>,
    last_id: u64,
}

impl Bot {
    pub fn start(data: &std::path::Path) -> Self {
        Self::start_with(data, &[])
    }

    /// With more arguments.
    pub fn start_with(data: &std::path::Path, arguments: &[&str]) -> Self {
        let mut child = Command::new(WIREMIN)
            .args(["bot", "--data"])
            .arg(data)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        Self {
            stdin: child.stdin.take(),
            stdout: BufReader::new(child.stdout.take().unwrap()),
            child,
            last_id: 0,
        }
    }

    pub fn write(&mut self, bytes: &[u8]) {
        self.stdin.as_mut().unwrap().write_all(bytes).unwrap();
    }

    pub fn next(&mut self) -> Value {
        let mut line = String::new();
        self.stdout.read_line(&mut line).unwrap();
        serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line:?}"))
    }

    /// What is told until the answer with this id, which is the last.
    pub fn until(&mut self, id: u64) -> Vec<Value> {
        let mut told = Vec::new();
        loop {
            let event = self.next();
            let answer = event["event"] == "done" || event["event"] == "failed";
            let ours = event["id"] == id;
            told.push(event);
            if answer && ours {
                return told;
            }
        }
    }

    /// What is told until a linking comes to this step, which is the last.
    pub fn until_step(&mut self, step: &str) -> Value {
        loop {
            let event = self.next();
            assert_ne!(event["step"], "failed", "{event}");
            if event["event"] == "linking" && event["step"] == step {
                return event;
            }
        }
    }

    /// Gives a command and waits for its answer.
    pub fn ask(&mut self, mut command: Value) -> Value {
        self.last_id += 1;
        command["id"] = self.last_id.into();
        self.write(format!("{command}\n").as_bytes());
        self.until(self.last_id).pop().unwrap()
    }

    /// Makes an account with this passcode.
    pub fn create(&mut self, passcode: &str, remember: bool) {
        let words = self.ask(serde_json::json!({ "cmd": "new_words" }));
        let words: Vec<&str> = words["answer"]["words"]
            .as_array()
            .unwrap()
            .iter()
            .map(|word| word.as_str().unwrap())
            .collect();
        let made = self.ask(serde_json::json!({
            "cmd": "create", "name": "Anna", "words": words.join(" "), "passcode": passcode,
            "restore": false, "remember": remember,
        }));
        assert_eq!(made["event"], "done", "{made}");
    }

    /// Ends its input and waits for its end.
    pub fn close(mut self) {
        drop(self.stdin.take());
        let mut rest = String::new();
        while self.stdout.read_line(&mut rest).unwrap() > 0 {}
        assert!(self.child.wait().unwrap().success());
    }

    /// Gives it more commands than it can answer while nobody reads, asks it to end, and says
    /// whether it ended well.
    #[cfg(unix)]
    pub fn flood_and_terminate(mut self, line: &str) -> bool {
        let mut stdin = self.stdin.take().unwrap();
        let line = line.to_owned();
        // It blocks when the pipes are full, and fails when the bot is gone.
        let writer = std::thread::spawn(move || while writeln!(stdin, "{line}").is_ok() {});
        std::thread::sleep(std::time::Duration::from_millis(500));
        let pid = self.child.id().to_string();
        let asked = Command::new("kill").args(["-TERM", &pid]).status();
        assert!(asked.unwrap().success());
        let ended = self.child.wait().unwrap();
        writer.join().unwrap();
        ended.success()
    }

    /// Kills it without warning.
    pub fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}
