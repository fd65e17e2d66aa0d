# Sourced: finds a compiler for a target that the host's toolchain does not bring along.
#
# use_target TARGET STD   afterwards `cargo_for_target ARGS...` runs a cargo that can build for
#                         TARGET; STD names the crates of the standard library to build where they
#                         are not shipped. First rustup's own target; where its server is out of
#                         reach, Debian's compiler of the browser packages with `-Zbuild-std`.
#                         WIREMIN_RUST=rustup or =debian allows only that one.
# Needs tests/step.sh.

DEBIAN_RUST='rustc-web cargo-web rust-web-src lld-19'

use_target() {
    TARGET=$1 TARGET_STD=$2 TARGET_KIND=
    case ${WIREMIN_RUST:-any} in
        any | rustup | debian) ;;
        *) die "WIREMIN_RUST is '$WIREMIN_RUST'; it can be rustup or debian" ;;
    esac
    if [ "${WIREMIN_RUST:-any}" != debian ] && rustup_has_target; then
        TARGET_KIND=rustup
    elif [ "${WIREMIN_RUST:-any}" != rustup ] && debian_has_target; then
        TARGET_KIND=debian
    else
        die "no compiler for $TARGET: neither 'rustup target add $TARGET' nor Debian's packages" \
            "$DEBIAN_RUST work here (WIREMIN_RUST=${WIREMIN_RUST:-any}; logs in $LOGS)"
    fi
}

rustup_has_target() {
    command -v rustup >/dev/null && command -v cargo >/dev/null || return 1
    rustup target list --installed 2>/dev/null | grep -qx "$TARGET" && return 0
    try rustup "adding rustup's target $TARGET" rustup_add_target >&2
}

# rustup itself waits minutes for a server that does not answer: ask that server first.
rustup_add_target() {
    local server=${RUSTUP_DIST_SERVER:-https://static.rust-lang.org}
    if command -v curl >/dev/null; then
        curl -sSIL -o /dev/null --max-time 10 "$server/" || return 1
    fi
    RUSTUP_MAX_RETRIES=1 timeout 600 rustup target add "$TARGET"
}

debian_has_target() {
    debian_complete && return 0
    # shellcheck disable=SC2086
    try debian-rust "installing Debian's $DEBIAN_RUST" apt_install $DEBIAN_RUST >&2 || return 1
    debian_complete
}

debian_complete() {
    [ -x /usr/bin/rustc ] && [ -x /usr/bin/cargo ] && command -v wasm-ld-19 >/dev/null || return 1
    [ -f "$(/usr/bin/rustc --print sysroot)/lib/rustlib/src/rust/library/std/Cargo.toml" ]
}

# Flags for the compiler come one by one in the array TARGET_RUSTFLAGS.
cargo_for_target() {
    local flags
    flags=$(IFS=$'\x1f' && printf '%s' "${TARGET_RUSTFLAGS[*]-}")
    if [ "$TARGET_KIND" = rustup ]; then
        CARGO_ENCODED_RUSTFLAGS=$flags cargo "$@" --target "$TARGET"
    else
        env -u RUSTUP_TOOLCHAIN -u RUSTC_WRAPPER RUSTC=/usr/bin/rustc RUSTDOC=/usr/bin/rustdoc \
            RUSTC_BOOTSTRAP=1 CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER=wasm-ld-19 \
            CARGO_ENCODED_RUSTFLAGS="$flags" \
            /usr/bin/cargo "$@" --target "$TARGET" "-Zbuild-std=$TARGET_STD"
    fi
}
