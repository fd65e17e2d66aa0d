//! A relay can't read what it keeps, because the code that could is not in it.
//!
//! `account` is the only crate that sees plaintext: it is neither among what `native-node` is made
//! of, nor in the program that was built from it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::fs;
use std::path::PathBuf;
use std::process::Command;

/// How the compiler writes the crate's name into the symbols of a program that links it.
const ACCOUNT_SYMBOLS: [&[u8]; 2] = [b"_ZN7account", b"_7account"];

fn crates_of(package: &str) -> Vec<String> {
    let output = Command::new(env!("CARGO"))
        .args([
            "tree",
            "--locked",
            "--offline",
            "--prefix",
            "none",
            "--format",
            "{p}",
        ])
        .args(["--edges", "normal,build", "--package", package])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .expect("cargo starts");
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    text.lines()
        .filter_map(|line| line.split(' ').next())
        .map(str::to_owned)
        .collect()
}

#[test]
fn the_relay_is_not_made_of_the_account() {
    let crates = crates_of("native-node");
    assert!(
        crates.iter().any(|name| name == "shared"),
        "not a list of crates: {crates:?}"
    );
    assert!(
        !crates.iter().any(|name| name == "account"),
        "native-node links plaintext code"
    );
    assert!(
        crates_of("wiremin").iter().any(|name| name == "account"),
        "the control"
    );
}

/// The directory with the built programs: named by `make test`, which builds them first.
fn programs() -> Option<PathBuf> {
    std::env::var_os("WIREMIN_BIN_DIR").map(PathBuf::from)
}

fn has_account_symbols(program: &str, dir: &std::path::Path) -> bool {
    let bytes = fs::read(dir.join(program)).unwrap_or_else(|e| panic!("{program}: {e}"));
    ACCOUNT_SYMBOLS
        .iter()
        .any(|symbol| bytes.windows(symbol.len()).any(|window| window == *symbol))
}

#[test]
fn the_relay_program_does_not_contain_the_account() {
    let Some(dir) = programs() else {
        eprintln!("not checked: WIREMIN_BIN_DIR does not say where the programs are");
        return;
    };
    assert!(
        has_account_symbols("wiremin", &dir),
        "the control: wiremin contains the account"
    );
    assert!(
        !has_account_symbols("wiremin-relay", &dir),
        "wiremin-relay links plaintext code"
    );
}
