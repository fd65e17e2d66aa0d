#!/usr/bin/env bash
# Relays against programs of others, on loopback. What a program needs comes from its registry;
# where that cannot be reached the test is left out, and it says so.
set -euo pipefail
. "$(dirname "$0")/../step.sh"
cd "$WIREMIN_ROOT"

need_rust
AIORTC=1.16.0
LIBTORRENT=2.1.1
venv=$TARGET_DIR/interop
tests=()

# A Python of its own, made once.
make_venv() {
    command -v python3 >/dev/null || { echo "python3 is missing"; return 1; }
    "$venv/bin/pip" --version >/dev/null 2>&1 && return
    rm -rf "$venv"
    python3 -m venv "$venv"
}

# install PACKAGE VERSION: into that Python, once for each version.
install() {
    make_venv &&
        "$venv/bin/pip" install --quiet --disable-pip-version-check --retries 1 --timeout 15 \
            --only-binary :all: "$1==$2" &&
        "$venv/bin/python" -c "import $1" &&
        echo "$2" >"$venv/$1.ready"
}

# add TEST PACKAGE VERSION: the test is run if what it needs is there.
add() {
    if [ "$(cat "$venv/$2.ready" 2>/dev/null)" = "$3" ] ||
        try "interop-$2" "installing $2 $3" install "$2" "$3"; then
        tests+=("$1")
    else
        printf 'skipped: no %s here: %s\n' "$2" "$(tail -n 1 "$LOGS/interop-$2.log")"
    fi
}

# run NAME TEXT: tests/interop/NAME.py with the relay, and what it says.
run() {
    step "interop-$1" "$2" \
        "$venv/bin/python" -B "tests/interop/$1.py" "$TARGET_DIR/debug/wiremin-relay" &&
        cat "$LOGS/interop-$1.log"
}

add aiortc_run aiortc "$AIORTC"
add dht libtorrent "$LIBTORRENT"
[ ${#tests[@]} != 0 ] || exit 0
step interop-programs "building the relay" \
    cargo build --locked -p native-node --bin wiremin-relay
code=0
for name in "${tests[@]}"; do
    case $name in
        aiortc_run) run "$name" "a client over aiortc" || code=1 ;;
        dht) run "$name" "relays in a DHT of libtorrent's nodes" || code=1 ;;
    esac
done
exit "$code"
