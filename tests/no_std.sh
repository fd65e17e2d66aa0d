#!/usr/bin/env bash
# Checks the core for a target without a standard library: no clock, socket or hash map can have
# got in, and no dependency that brings one.
set -euo pipefail
. "$(dirname "$0")/step.sh"
. "$WIREMIN_ROOT/web-node/toolchain.sh"
cd "$WIREMIN_ROOT"

use_target x86_64-unknown-none core,alloc
CARGO_TARGET_DIR=$TARGET_DIR/no_std cargo_for_target check --locked -p shared -p account
