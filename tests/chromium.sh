# Sourced: finds a Chromium for the tests in a real browser. Needs tests/step.sh and node_modules.
#
# need_chromium DIR   exports CHROMIUM: the one that is set already, one on the PATH, else
#                     Debian's package, else the one that DIR's playwright-core downloads.

need_chromium() {
    find_chromium && return 0
    if try chromium "installing chromium" apt_install chromium && find_chromium; then
        return 0
    fi
    try chromium-download "downloading chromium" \
        npx --prefix "$1" playwright-core install chromium-headless-shell &&
        find_downloaded_chromium && return 0
    die "chromium is missing: install it (Debian: apt-get install chromium) or name one in" \
        "CHROMIUM"
}

find_chromium() {
    local name path
    for name in "${CHROMIUM:-}" chromium chromium-browser google-chrome-stable \
        google-chrome; do
        [ -n "$name" ] || continue
        path=$(command -v "$name") || continue
        export CHROMIUM=$path
        return 0
    done
    return 1
}

find_downloaded_chromium() {
    local cache=${PLAYWRIGHT_BROWSERS_PATH:-$HOME/.cache/ms-playwright}
    CHROMIUM=$(find "$cache" -type f -perm -u+x \
        \( -name chrome-headless-shell -o -name headless_shell \) 2>/dev/null | sort | tail -n 1)
    [ -n "$CHROMIUM" ] && export CHROMIUM
}
