# Sourced: Node and its packages. Needs tests/step.sh.

NODE_MAJOR_MIN=20

need_node() {
    local major
    command -v node >/dev/null || die "node is missing: install Node $NODE_MAJOR_MIN or newer from https://nodejs.org"
    command -v npm >/dev/null || die "npm is missing: it comes with Node, https://nodejs.org"
    major=$(node -p 'process.versions.node.split(".")[0]')
    [ "$major" -ge "$NODE_MAJOR_MIN" ] ||
        die "Node $major is too old: install Node $NODE_MAJOR_MIN or newer from https://nodejs.org"
}

# npm_install NAME DIR: what DIR/package-lock.json names, again only after the lock has changed.
npm_install() {
    local dir=$2 stamp=$2/node_modules/.wiremin-lock
    [ -f "$dir/package-lock.json" ] || die "$1/package-lock.json is missing from the tree"
    cmp -s "$dir/package-lock.json" "$stamp" && return 0
    step "npm-$1" "installing the packages of $1" npm ci --prefix "$dir" --no-fund --no-audit || return
    cp "$dir/package-lock.json" "$stamp"
}
