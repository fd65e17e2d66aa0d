#!/usr/bin/env bash
# Networks that double, on a virtual clock, one that grows and shrinks, and the report on both:
# docs/growth.md. SIZES="625 1250" takes others than usual, WAVES=500 and WAVES_REAL=200 fewer relays
# (ranges halved at 12, and at 40 as in earnest). Each is a process of its own, and needs about 1 MB
# of memory a node.
#
#   tests/sim_large.sh          everything
#   tests/sim_large.sh waves    the network that grows and shrinks; the rest as it was found last
set -euo pipefail
. "$(dirname "$0")/step.sh"
. "$WIREMIN_ROOT/tests/node.sh"
cd "$WIREMIN_ROOT"

need_rust
need_node
cargo build --locked --release -p tests --example sim_large
found=$TARGET_DIR/logs/growth.jsonl
mkdir -p "$TARGET_DIR/logs" docs
touch "$found"

# Runs it with these arguments and adds its line.
measure() {
    "$TARGET_DIR/release/examples/sim_large" "$@" >> "$found"
}

if [ "${1:-}" != waves ]; then
    : > "$found"
    for nodes in ${SIZES:-625 1250 2500 5000 10000}; do
        # A small network has few ranges, and chance decides which of them are halved: it is built
        # so often that each size has as many.
        for ((seed = 1; seed <= (nodes < 5000 ? 5000 / nodes : 1); seed++)); do
            measure "$nodes" "$seed"
        done
    done
fi
sed -i '/"waves"/d' "$found"
measure waves "${WAVES:-1000}" 12
measure waves "${WAVES_REAL:-300}" 40
node tests/growth.mjs "$found"
cat docs/growth.md
