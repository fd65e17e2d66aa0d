#!/usr/bin/env bash
# Relays and accounts on real sockets in networks made for them: two LANs, a NAT between, no way
# out. `run.sh missing` only says what this machine lacks for it, if anything.
#
# All of it happens in namespaces of one process, without a trace in those of the machine: mounts,
# networks and processes end with that process, also when it is interrupted or killed.
set -euo pipefail
. "$(dirname "$0")/../step.sh"
. "$WIREMIN_ROOT/tests/node.sh"
. "$WIREMIN_ROOT/tests/chromium.sh"
cd "$WIREMIN_ROOT"
PATH=$PATH:/usr/sbin:/sbin
export PYTHONDONTWRITEBYTECODE=1

alone=(unshare --mount --net --pid --fork --kill-child --mount-proc)
[ "$(id -u)" = 0 ] || alone+=(--user --map-root-user)

missing() {
    local program package
    for package in python3 iproute2:ip nftables:nft util-linux:unshare; do
        program=${package#*:} package=${package%:*}
        command -v "$program" >/dev/null || apt_install "$package" >"$LOGS/netns-apt.log" 2>&1 ||
            { echo "$program is missing (Debian: apt-get install $package)"; return; }
    done
    "${alone[@]}" bash -ec 'mount -t tmpfs tmpfs /run
        ip netns add probe
        ip link add bridge0 type bridge
        ip link add probe0 type veth peer name probe1 netns probe
        ip netns exec probe nft add table probe
        ip netns exec probe nft "add chain probe out { type nat hook postrouting priority 100; }"
        ip netns exec probe nft add rule probe out masquerade' >"$LOGS/netns-probe.log" 2>&1 ||
        echo "no network namespaces: $(tail -n 1 "$LOGS/netns-probe.log")"
}

lacking=$(missing)
if [ "${1-}" = missing ]; then
    printf '%s' "$lacking"
    exit 0
fi
if [ -n "$lacking" ]; then
    printf 'skipped: no networks of our own: %s\n' "$lacking"
    exit 0
fi
if [ -z "${WIREMIN_BIN_DIR-}" ]; then
    need_rust
    step netns-programs "building the programs" \
        cargo build --locked -p native-node -p wiremin
fi
# A browser takes part if there is one.
if command -v node >/dev/null && find_chromium; then
    npm_install tests tests
    [ -f www/src/wasm/web_node.js ] || step netns-web "building the browser peer" web-node/build.sh
else
    unset CHROMIUM
fi
rm -rf "$LOGS/netns"
mkdir -p "$LOGS/netns"
# As the first process of its namespace it hears no signal: the end of the one around it, or of this
# one, is what ends it.
setpriv --pdeathsig KILL "${alone[@]}" \
    python3 tests/netns/journey.py "${WIREMIN_BIN_DIR:-$TARGET_DIR/debug}" "$LOGS/netns" &
world=$!
trap 'kill -KILL "$world"; exit 130' INT TERM
wait "$world"
