# Sourced by the build and test scripts: says what is being done while it is done.
#
# step NAME TEXT COMMAND...   runs COMMAND with its output in $LOGS/NAME.log, prints one line with
#                             the time it took; on failure also the end of the log. Returns its code.
# try NAME TEXT COMMAND...    the same for something that may fail because there is another way.
# die TEXT                    says in one line what is missing, and ends.

WIREMIN_ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
TARGET_DIR=${CARGO_TARGET_DIR:-$WIREMIN_ROOT/target}
LOGS=$TARGET_DIR/logs
mkdir -p "$LOGS"

die() {
    printf 'wiremin: %s\n' "$*" >&2
    exit 1
}

step() {
    local text=$2
    step_run "$@" && return 0
    local code=$?
    printf '%s: FAILED after %d s; the end of %s:\n' "$text" "$STEP_S" "$LOGS/$1.log"
    tail -n 40 "$LOGS/$1.log" | sed 's/^/    /'
    return "$code"
}

try() {
    step_run "$@" && return 0
    printf '%s: not possible here, %d s\n' "$2" "$STEP_S"
    return 1
}

step_run() {
    local text=$2 log=$LOGS/$1.log start=$SECONDS minutes=0 pid code=0
    shift 2
    [ -t 1 ] || printf '%s ...\n' "$text"
    # A process group of its own: an interrupt ends the whole tree of the command.
    set -m
    "$@" >"$log" 2>&1 </dev/null &
    pid=$!
    set +m
    # shellcheck disable=SC2064
    trap "kill -- -$pid 2>/dev/null; exit 130" INT TERM
    while kill -0 "$pid" 2>/dev/null; do
        step_progress "$text" "$log" $((SECONDS - start))
        sleep 0.2
    done
    wait "$pid" || code=$?
    trap - INT TERM
    STEP_S=$((SECONDS - start))
    [ ! -t 1 ] || printf '\r\033[K'
    [ "$code" != 0 ] || printf '%s: done, %d s\n' "$text" "$STEP_S"
    return "$code"
}

# On a terminal one line that is rewritten; elsewhere a line a minute, so that nobody thinks it hangs.
step_progress() {
    local text=$1 log=$2 elapsed=$3
    if [ -t 1 ]; then
        printf '\r\033[K%s: %d s  %s' "$text" "$elapsed" "$(log_tail "$log" 40)"
    elif [ $((elapsed / 60)) -gt "$minutes" ]; then
        minutes=$((elapsed / 60))
        printf '    %d min: %s\n' "$minutes" "$(log_tail "$log" 80)"
    fi
}

log_tail() {
    tail -c 300 "$1" | tr '\r' '\n' | sed '/^ *$/d; s/^ *//' | tail -n 1 |
        tr -cd '[:print:]' | cut -c "1-$2"
}

# has_root: can packages be installed without asking anybody?
has_root() {
    [ "$(id -u)" = 0 ] || { command -v sudo >/dev/null && sudo -n true 2>/dev/null; }
}

# apt_install PACKAGE...: installs Debian packages, refreshing the lists only when that is needed.
apt_install() {
    local sudo=
    command -v apt-get >/dev/null && has_root || return 1
    [ "$(id -u)" = 0 ] || sudo='sudo -n'
    set -- apt-get -o DPkg::Lock::Timeout=300 install -y --no-install-recommends "$@"
    $sudo env DEBIAN_FRONTEND=noninteractive "$@" && return 0
    $sudo apt-get -o DPkg::Lock::Timeout=300 update &&
        $sudo env DEBIAN_FRONTEND=noninteractive "$@"
}

# Rust from rustup, and the linker that it uses.
need_rust() {
    command -v cargo >/dev/null || die "cargo is missing: install Rust from https://rustup.rs"
    command -v cc >/dev/null || try cc "installing a linker" apt_install gcc libc6-dev ||
        die "cc is missing: install a C compiler (Debian: apt-get install gcc libc6-dev)"
}
