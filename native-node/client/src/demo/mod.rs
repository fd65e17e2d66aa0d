//! `wiremin demo`: the whole journey over real sockets, each part a process of its own.
//!
//! Invariant: the exit code is 0 only when every text arrived byte for byte; processes and
//! directories of the demo are gone when it ends, however it ends.
//!
//! ```text
//! child  processes    relays, bot  what they are    steps  what an account does
//! journey  of two accounts and a relay    ring, plan, letters  of many    tell  what is said of it
//! ```

mod bot;
mod child;
mod journey;
mod letters;
mod plan;
mod relays;
mod ring;
mod steps;
mod tell;

use crate::args::DemoArgs;
use native_node::process;
use native_node::scratch::Scratch;
use std::path::Path;
use std::process::ExitCode;
use tell::Teller;

pub async fn run(args: DemoArgs) -> ExitCode {
    let mut teller = Teller::new(args.json);
    let dir = match Scratch::new("demo") {
        Ok(dir) => dir,
        Err(error) => {
            teller.failed(&format!(
                "No temporary directory could be made ({error}). Nothing was changed. Make room, \
                 or set TMPDIR to another directory."
            ));
            return ExitCode::FAILURE;
        }
    };
    let done = tokio::select! {
        done = travel(&mut teller, dir.path(), &args) => done,
        () = process::asked_to_end() => Err("It was interrupted.".to_owned()),
    };
    // Its processes were killed when the journey's values were dropped.
    drop(dir);
    match done {
        Ok(()) => {
            teller.finished();
            ExitCode::SUCCESS
        }
        Err(error) => {
            teller.failed(&error);
            ExitCode::FAILURE
        }
    }
}

async fn travel(teller: &mut Teller, dir: &Path, args: &DemoArgs) -> Result<(), String> {
    match (args.relays, args.accounts) {
        (1, 2) => journey::travel(teller, dir).await,
        (relays, accounts) => ring::travel(teller, dir, relays.into(), accounts.into()).await,
    }
}
