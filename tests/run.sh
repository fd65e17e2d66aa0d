#!/usr/bin/env bash
# All tests. Each step runs even when one before it failed; the last lines are the counts.
#
# One native profile serves everything: lints aside, the tests, the programs they start and the
# relay behind the browser tests are built once, with `dev`, whose dependencies are optimised.
set -uo pipefail
. "$(dirname "$0")/step.sh"
. "$WIREMIN_ROOT/tests/node.sh"
. "$WIREMIN_ROOT/tests/chromium.sh"
. "$WIREMIN_ROOT/tests/count.sh"
cd "$WIREMIN_ROOT"

need_rust
need_node

gate fmt "Rust formatting" cargo fmt --all --check
gate no_std "the core without a standard library" tests/no_std.sh
gate web "the browser peer" web-node/build.sh
npm_install www www || gate_failed "packages of the page"
gate check "the page's types and formatting" npm --prefix www run --silent check
suite vitest "the page's tests" npm --prefix www run --silent test
gate page "the page" www/build.sh

gate clippy "lints" cargo clippy --locked --workspace --all-targets -- -D warnings
gate programs "the native programs" native-node/build.sh dev
export WIREMIN_BIN_DIR=$TARGET_DIR/debug
suite native "the native tests" cargo test --locked --workspace --no-fail-fast \
    --exclude bindgen

netns="relays and accounts in networks of their own"
lacking=$(tests/netns/run.sh missing)
if [ -z "$lacking" ]; then
    suite netns "$netns" tests/netns/run.sh
else
    printf '%s: skipped: %s\n' "$netns" "$lacking"
fi

npm_install tests tests || gate_failed "packages of the browser tests"
need_chromium tests
suite browser "the browser peer in a real browser" npm --prefix tests run --silent web
suite e2e "the page in a real browser" npm --prefix tests run --silent e2e

summary
