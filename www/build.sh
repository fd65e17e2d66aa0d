#!/usr/bin/env bash
# Builds the page: www/dist, from the sources and the ES module that web-node/build.sh made.
set -euo pipefail
. "$(dirname "$0")/../tests/step.sh"
. "$WIREMIN_ROOT/tests/node.sh"
cd "$WIREMIN_ROOT/www"

newer_than() {
    find . -path ./node_modules -prune -o -path ./dist -prune -o -newer "$1" -print -quit
}

need_node
npm_install www .
# The page is built again only when something it is made of is newer than the last one.
if [ ! -f dist/index.html ] || [ -n "$(newer_than dist/index.html)" ]; then
    step page "building the page" npm run --silent build
    touch dist/index.html
fi
