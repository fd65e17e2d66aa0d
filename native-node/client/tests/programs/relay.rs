//! A relay's program, and what it shows who runs it.

use super::WIREMIN;
use native_node::status::Report;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

/// A running relay on loopback.
pub struct Relay {
    child: Child,
    pub port: u16,
}

impl Relay {
    pub fn start(data: &Path, peer: Option<u16>) -> Self {
        Self::start_at(data, 0, peer)
    }

    /// On this port, as after a restart; 0 lets the system choose.
    pub fn start_at(data: &Path, port: u16, peer: Option<u16>) -> Self {
        let mut command = Command::new(program());
        command
            .args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--json"])
            .args(["--until-stdin-ends", "--no-lan", "--no-dht", "--data"])
            .arg(data)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped());
        if let Some(peer) = peer {
            command.args(["--peer", &format!("127.0.0.1:{peer}")]);
        }
        let mut child = command.spawn().unwrap();
        let mut line = String::new();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        stdout.read_line(&mut line).unwrap();
        let told: serde_json::Value = serde_json::from_str(&line).unwrap();
        let port = told["port"].as_u64().unwrap().try_into().unwrap();
        Self { child, port }
    }

    /// Status line, headers and body of what is at that path; what follows the date's name is
    /// left out.
    pub fn get(&self, path: &str, headers: &str) -> String {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        let request =
            format!("GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n{headers}\r\n");
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let lines = answer.lines().filter(|line| !line.starts_with("date: "));
        lines.collect::<Vec<_>>().join("\n")
    }

    pub fn end(mut self) {
        drop(self.child.stdin.take());
        assert!(self.child.wait().unwrap().success());
    }

    /// Without warning.
    pub fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        // A test that failed leaves nothing behind.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub fn status(data: &Path, more: &[&str]) -> Output {
    let mut command = Command::new(WIREMIN);
    command.args(["relay", "status", "--data"]).arg(data);
    command.args(more).output().unwrap()
}

pub fn report(data: &Path) -> Report {
    let output = status(data, &["--json"]);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{stderr}");
    serde_json::from_slice(&output.stdout).unwrap()
}

/// The relay's program; built if a test is run alone.
pub fn program() -> PathBuf {
    let path = PathBuf::from(WIREMIN).with_file_name("wiremin-relay");
    let mut build = Command::new(env!("CARGO"));
    build.args([
        "build",
        "--package",
        "native-node",
        "--bin",
        "wiremin-relay",
    ]);
    if !path.exists() {
        assert!(build.status().unwrap().success());
    }
    path
}
