#!/usr/bin/env bash
# Relays against programs of others, on loopback. What a program needs comes from its registry;
# where that cannot be reached the test is left out, and it says so.
set -euo pipefail
. "$(dirname "$0")/../step.sh"
cd "$WIREMIN_ROOT"

need_rust
LIBTORRENT=2.1.1
venv=$TARGET_DIR/interop

# A Python of its own with libtorrent in it, made once for each version.
install_libtorrent() {
    command -v python3 >/dev/null || { echo "python3 is missing"; return 1; }
    rm -rf "$venv"
    python3 -m venv "$venv" &&
        "$venv/bin/pip" install --quiet --disable-pip-version-check --retries 1 --timeout 15 \
            --only-binary :all: "libtorrent==$LIBTORRENT" &&
        echo "$LIBTORRENT" >"$venv/ready"
}

if [ "$(cat "$venv/ready" 2>/dev/null)" != "$LIBTORRENT" ] &&
    ! try libtorrent "installing libtorrent $LIBTORRENT" install_libtorrent; then
    printf 'skipped: no DHT of libtorrent here: %s\n' "$(tail -n 1 "$LOGS/libtorrent.log")"
    exit 0
fi
step interop-programs "building the relay" \
    cargo build --locked -p native-node --bin wiremin-relay
step interop-dht "relays in a DHT of libtorrent's nodes" \
    "$venv/bin/python" tests/interop/dht.py "$TARGET_DIR/debug/wiremin-relay"
cat "$LOGS/interop-dht.log"
