//! The `wiremin` command: an account for people and one for scripts, a demonstration, and the door
//! to the relay.

mod args;
mod bot;
mod chat;
mod demo;
mod door;
mod fetch;
mod lines;
mod problem;
mod relays;
mod session;
mod start;

use args::{Args, Command};
use clap::Parser;
use native_node::process;
use std::process::ExitCode;

fn main() -> ExitCode {
    let args = Args::parse();
    process::start_log();
    match args.command {
        Command::Relay { arguments } => door::relay(&arguments),
        Command::Bot(args) => run(bot::run(args)),
        Command::Chat(args) => run(chat::run(args)),
        Command::Demo(args) => run(demo::run(args)),
    }
}

fn run(program: impl Future<Output = ExitCode>) -> ExitCode {
    match tokio::runtime::Runtime::new() {
        Ok(runtime) => {
            let code = runtime.block_on(program);
            // A write that nobody reads must not keep the process.
            runtime.shutdown_background();
            code
        }
        Err(error) => process::no_runtime(&error),
    }
}
