#!/usr/bin/env bash
# The page in a browser: how soon it is ready, how soon a first message is delivered, what the main
# thread does meanwhile, and how much is downloaded. Needs the page (make page).
set -euo pipefail
. "$(dirname "$0")/../../step.sh"
. "$WIREMIN_ROOT/tests/node.sh"
. "$WIREMIN_ROOT/tests/chromium.sh"
cd "$WIREMIN_ROOT"

need_rust
need_node
npm_install tests tests
need_chromium tests
native-node/build.sh
WIREMIN_BIN_DIR=$TARGET_DIR/release node tests/bench/page/bench.mjs "$@"
