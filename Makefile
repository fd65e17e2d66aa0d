# The commands of the project. Each says what it does while it works, and what is missing when it
# can't. CARGO_TARGET_DIR moves the build; WIREMIN_PORT moves the relay.

SHELL := bash
TARGET_DIR := $(or $(CARGO_TARGET_DIR),$(CURDIR)/target)

.PHONY: help run relay test netns interop model bench bench-store bench-gossip sim-large web page clean

help: ## show this list
	@sed -n 's/^\([a-z-]*\): .*## /  make \1\t/p' Makefile

run: relay ## build everything and start a relay that serves the page
	@exec "$(TARGET_DIR)/release/wiremin-relay" $(if $(WIREMIN_PORT),--port "$(WIREMIN_PORT)")

test: ## all tests, those in a real browser too
	@tests/run.sh

netns: ## relays and accounts in networks made for them, with a NAT (Linux)
	@tests/netns/run.sh

interop: ## relays with a client over aiortc and in a DHT of libtorrent's, on loopback (both from PyPI)
	@tests/interop/run.sh

model: ## prove what the handshakes promise, with ProVerif (docs/model)
	@docs/model/run.sh

bench: page ## measure, with the limits of this machine beside the numbers
	@tests/bench.sh

bench-store: ## of these alone: the relay over its database, on one core
	@mkdir -p www/dist
	@cargo run --locked --release -p native-node --example bench_store

bench-gossip: ## of these alone: the relay beside gossipsub (compiles libp2p)
	@tests/bench/gossip/run.sh

sim-large: ## networks of up to 10,000 nodes on a virtual clock, and one that shrinks; writes docs/growth.md (an hour)
	@tests/sim_large.sh

web: ## the browser peer (WASM) and its ES module, www/src/wasm
	@web-node/build.sh

page: web ## the page, www/dist
	@www/build.sh

relay: page ## target/release/wiremin-relay with the page inside
	@native-node/build.sh

clean: ## remove everything that was built
	rm -rf "$(TARGET_DIR)" www/dist www/src/wasm www/node_modules tests/node_modules
