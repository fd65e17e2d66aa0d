#!/usr/bin/env bash
# Builds the native programs with the page inside: wiremin-relay and wiremin, in the profile $1
# (release unless given).
set -euo pipefail
. "$(dirname "$0")/../tests/step.sh"
cd "$WIREMIN_ROOT"

need_rust
step relay "building the relay" cargo build --locked --profile "${1:-release}" -p native-node -p wiremin
