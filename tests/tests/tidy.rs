//! The shape of the tree, kept by a test: sizes, arrows, banned words.
//!
//! What is wrong is listed all at once, each with its file and line, and what to do about it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::fs;
use std::path::{Path, PathBuf};

/// Files of these kinds are read.
const SOURCE_KINDS: [&str; 9] = ["rs", "ts", "tsx", "mjs", "css", "py", "sh", "toml", "md"];
/// Not held to a number of lines.
const TEXT_KINDS: [&str; 2] = ["md", "toml"];
/// Built, downloaded or generated: not ours to keep tidy.
const SKIPPED_DIRS: [&str; 6] = [".git", "target", "node_modules", "dist", "wasm", "out"];
/// Files that are data.
const DATA_FILES: [&str; 1] = ["shared/account/src/words/list.rs"];

const FILE_LINES_MAX: usize = 600;
const RUST_COLUMNS_MAX: usize = 100;
/// A line may be longer in a table (a comment aligned by spaces), and when this much of it is one
/// word: an address, a digest.
const LONG_WORD: usize = 60;

/// `shared`, lowest first: a module may use those before it.
const SHARED_LAYERS: [&str; 11] = [
    "limits", "time", "recent", "crypto", "range", "wire", "io", "object", "book", "link", "relay",
];

/// Crates of the workspace that a crate may name in its manifest or its sources.
const ARROWS: [(&str, &[&str]); 7] = [
    ("shared/account", &["shared"]),
    ("shared", &[]),
    ("native-node/client", &["shared", "account", "native-node"]),
    ("native-node", &["shared"]),
    ("web-node/bindgen", &[]),
    ("web-node", &["shared", "account"]),
    ("tests", &["shared", "account", "native-node"]),
];
const CRATES: [&str; 4] = ["shared", "account", "native-node", "web-node"];

struct Source {
    /// Relative to the root, with `/`.
    path: String,
    kind: String,
    text: String,
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .unwrap()
        .to_path_buf()
}

fn sources() -> Vec<Source> {
    let mut sources = Vec::new();
    collect(&root(), &root(), &mut sources);
    assert!(sources.len() > 20, "the tree was not found");
    sources.sort_by(|a, b| a.path.cmp(&b.path));
    sources
}

fn collect(root: &Path, dir: &Path, into: &mut Vec<Source>) {
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_dir() {
            if !SKIPPED_DIRS.contains(&name.as_str()) && !name.starts_with("target-") {
                collect(root, &path, into);
            }
            continue;
        }
        let kind = path
            .extension()
            .map(|kind| kind.to_string_lossy().into_owned());
        let kind = kind.unwrap_or_default();
        let relative = path
            .strip_prefix(root)
            .unwrap()
            .to_string_lossy()
            .replace('\\', "/");
        if SOURCE_KINDS.contains(&kind.as_str()) && !DATA_FILES.contains(&relative.as_str()) {
            into.push(Source {
                path: relative,
                kind,
                text: fs::read_to_string(&path).unwrap(),
            });
        }
    }
}

fn report(what: &str, wrong: Vec<String>) {
    assert!(wrong.is_empty(), "{what}:\n  {}\n", wrong.join("\n  "));
}

/// The crate of the workspace a file belongs to, with what it may name.
fn arrows_of(path: &str) -> Option<(&'static str, &'static [&'static str])> {
    ARROWS
        .into_iter()
        .find(|(dir, _)| path.starts_with(&format!("{dir}/")))
}

/// Lines with their number, comments left out.
fn code_lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let lines = text
        .lines()
        .enumerate()
        .map(|(index, line)| (index + 1, line));
    lines.filter(|(_, line)| !line.trim_start().starts_with("//"))
}

#[test]
fn files_are_small() {
    let too_long = sources().into_iter().filter_map(|source| {
        let lines = source.text.lines().count();
        let code = !TEXT_KINDS.contains(&source.kind.as_str());
        (code && lines > FILE_LINES_MAX).then(|| format!("{}: {lines} lines", source.path))
    });
    report(
        &format!("split files of more than {FILE_LINES_MAX} lines"),
        too_long.collect(),
    );
}

#[test]
fn lines_of_rust_are_short() {
    let mut wrong = Vec::new();
    for source in sources().iter().filter(|source| source.kind == "rs") {
        for (index, line) in source.text.lines().enumerate() {
            let columns = line.chars().count();
            let comment = line.trim_start().starts_with("//");
            let allowed = comment && line.trim_start().contains("   ")
                || line.split_whitespace().any(|word| word.len() > LONG_WORD);
            if columns > RUST_COLUMNS_MAX && !allowed {
                wrong.push(format!("{}:{}: {columns} columns", source.path, index + 1));
            }
        }
    }
    report(
        &format!("break lines of more than {RUST_COLUMNS_MAX} columns"),
        wrong,
    );
}

#[test]
fn crates_follow_the_arrows() {
    let mut wrong = Vec::new();
    for source in sources() {
        let Some((dir, allowed)) = arrows_of(&source.path) else {
            continue;
        };
        for name in CRATES
            .iter()
            .filter(|name| !allowed.contains(name) && !dir.ends_with(*name))
        {
            let module = name.replace('-', "_");
            let uses = |line: &str| match source.kind.as_str() {
                "toml" => {
                    let key = line.split(['=', '.']).next().unwrap_or_default();
                    key.trim() == *name || line.contains(&format!("package = \"{name}\""))
                }
                "rs" => names_crate(line, &module),
                _ => false,
            };
            for (number, _) in code_lines(&source.text).filter(|(_, line)| uses(line)) {
                wrong.push(format!(
                    "{}:{number}: {dir} must not use {name}",
                    source.path
                ));
            }
        }
    }
    report(
        "follow the arrows between the crates (ARCHITECTURE.md)",
        wrong,
    );
}

/// Is `module` used as the first part of a path? `crate::account::x` is another thing.
fn names_crate(line: &str, module: &str) -> bool {
    if line.trim_start().starts_with(&format!("use {module};")) {
        return true;
    }
    line.match_indices(&format!("{module}::")).any(|(at, _)| {
        let before = line[..at].strip_suffix("::").unwrap_or(&line[..at]);
        !before.ends_with(|c: char| c.is_alphanumeric() || c == '_')
    })
}

#[test]
fn modules_of_shared_follow_the_arrows() {
    let mut wrong = Vec::new();
    for source in sources() {
        let Some(inner) = source.path.strip_prefix("shared/src/") else {
            continue;
        };
        let module = inner
            .split('/')
            .next()
            .unwrap_or_default()
            .trim_end_matches(".rs");
        if module == "lib" {
            continue;
        }
        let Some(layer) = SHARED_LAYERS.iter().position(|name| *name == module) else {
            wrong.push(format!(
                "{}: give {module} its place in SHARED_LAYERS",
                source.path
            ));
            continue;
        };
        for (number, line) in code_lines(&source.text) {
            for used in used_modules(line) {
                let position = SHARED_LAYERS.iter().position(|name| *name == used);
                if used != module && position.is_none_or(|position| position >= layer) {
                    wrong.push(format!("{}:{number}: {module} uses {used}", source.path));
                }
            }
        }
    }
    report("follow the arrows inside shared (ARCHITECTURE.md)", wrong);
}

/// The modules a line names as `crate::module`, also in `crate::{one, two}`.
fn used_modules(line: &str) -> Vec<&str> {
    let mut used = Vec::new();
    for (at, found) in line.match_indices("crate::") {
        let rest = &line[at + found.len()..];
        let parts = match rest.strip_prefix('{') {
            Some(list) => list.split([',', '}']).collect::<Vec<_>>(),
            None => vec![rest],
        };
        for part in parts {
            let end = part
                .trim_start()
                .find(|c: char| !c.is_alphanumeric() && c != '_');
            let name = &part.trim_start()[..end.unwrap_or(part.trim_start().len())];
            // Types and functions of the crate's root come through their module.
            if !name.is_empty() && name.chars().all(|c| c.is_lowercase() || c == '_') {
                used.push(name);
            }
        }
    }
    used
}

#[test]
fn no_word_is_banned() {
    let words = [
        ("todo!", "finish it"),
        ("unimplemented!", "finish it"),
        ("FIXME", "fix it"),
        ("XXX", "fix it"),
        ("TODO", "do it, or leave it to the reader's judgement"),
        ("#[ignore", "a test that does not run is none"),
        (".skip(", "a test that does not run is none"),
        (".only(", "run all tests"),
        (
            "/tmp/",
            "no path of one machine; ask the system for a directory",
        ),
    ];
    let machines = ["root", "home", "work"].map(|directory| format!("/{directory}/"));
    let mut wrong = Vec::new();
    for source in sources()
        .iter()
        .filter(|source| source.path != "tests/tests/tidy.rs")
    {
        let script = ["ts", "tsx", "mjs"].contains(&source.kind.as_str());
        for (index, line) in source.text.lines().enumerate() {
            let directory = machines.iter().find(|path| line.contains(path.as_str()));
            if let Some(path) = directory {
                wrong.push(format!(
                    "{}:{}: {path}: no path of one machine",
                    source.path,
                    index + 1
                ));
            }
            for (word, advice) in words {
                let applies = match word {
                    ".skip(" | ".only(" => script,
                    "/tmp/" => !source.path.starts_with("tests/"),
                    _ => true,
                };
                if applies && line.contains(word) {
                    wrong.push(format!("{}:{}: {word}: {advice}", source.path, index + 1));
                }
            }
        }
    }
    report("these words do not belong into the tree", wrong);
}

#[test]
fn names_say_what_a_thing_is() {
    let files = [
        "util", "utils", "helper", "helpers", "common", "misc", "manager", "stuff",
    ];
    let types = ["Manager", "Helper", "Utils"];
    let mut wrong = Vec::new();
    for source in sources() {
        let stem = source.path.rsplit('/').next().unwrap_or_default();
        let stem = stem.split('.').next().unwrap_or_default().to_lowercase();
        let in_dir = source.path.split('/').any(|part| files.contains(&part));
        if in_dir || files.contains(&stem.as_str()) {
            wrong.push(format!("{}: name the idea it holds", source.path));
        }
        for (number, line) in code_lines(&source.text) {
            let line = line
                .trim_start()
                .trim_start_matches("export ")
                .trim_start_matches("pub ");
            let declared = [
                "struct ",
                "enum ",
                "trait ",
                "class ",
                "interface ",
                "type ",
                "mod ",
            ]
            .iter()
            .find_map(|keyword| line.strip_prefix(keyword));
            let name = declared.and_then(|rest| rest.split([' ', '<', '(', '{', ';', ':']).next());
            if name.is_some_and(|name| {
                types.iter().any(|banned| name.contains(banned)) || files.contains(&name)
            }) {
                wrong.push(format!("{}:{number}: name what it is", source.path));
            }
        }
    }
    report("names that say nothing", wrong);
}
