# What to do with Spillway. `make` alone lists it. All work on a bare Debian 12 with Rust, Node, git and make:
# what else they need, they install.

.DEFAULT_GOAL := help
.PHONY: help run web test check advisories bench bench-check measure plot soak setup

# Where `make run` and `make measure` find what they built; absolute, since npm runs elsewhere.
BIN := $(or $(CARGO_TARGET_DIR),$(CURDIR)/target)/quick

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 14

run: setup web ## build and run a node with a moving test picture, at http://localhost:8080/watch/demo
	@echo "Building. The first time takes several minutes; the address to open comes when the node runs."
	cargo build --profile quick --locked -p spillway -p spillway-hls
	$(BIN)/spillway serve --demo $(ARGS)

web: web-client/dist/index.html ## build the pages

test: setup web ## all tests, browsers included
	@scripts/setup.sh test
	@scripts/test.sh

check: web-client/node_modules/.package-lock.json tests/e2e/node_modules/.package-lock.json ## formatting, lints, licences
	@scripts/setup.sh check
	scripts/check-tree.sh
	cargo fmt --all --check
	npm --prefix web-client run check
	npm --prefix tests/e2e run check
	cargo clippy --workspace --all-targets --locked -- -D warnings
	cargo clippy --workspace --all-targets --features spillway-hls/nvidia-sdk --locked -- -D warnings
	cargo deny --log-level error --locked check --hide-inclusion-graph licenses bans sources

advisories: ## known vulnerabilities of dependencies; asks GitHub
	@scripts/setup.sh check
	cargo deny --locked check advisories

bench: setup ## cost per packet of the media core
	cargo bench -p spillway-sfu --locked $(ARGS)

bench-check: ## instructions per forwarded packet, against the committed figure
	@scripts/setup.sh bench-check
	scripts/bench-check.sh $(ARGS)

measure: setup web ## join times and latency in real browsers, on an idle machine
	tests/e2e/setup.sh
	cargo build --profile quick --locked -p spillway -p spillway-loadtest
	SPILLWAY_BIN=$(BIN)/spillway SPILLWAY_LOADTEST_BIN=$(BIN)/spillway-loadtest npm --prefix tests/e2e run measure

plot: setup web ## draw how a viewer follows a link that falls and recovers: docs/plots/rate-drop.svg
	tests/e2e/setup.sh
	cargo build --profile quick --locked -p spillway -p spillway-loadtest
	SPILLWAY_BIN=$(BIN)/spillway SPILLWAY_LOADTEST_BIN=$(BIN)/spillway-loadtest node tests/e2e/plot.js docs/plots/rate-drop.svg

soak: setup web ## the long tests: HLS_MINUTES (default 10) of LL-HLS, CHURN_MINUTES (30) of viewers, SEEDS (1000) changing paths, FUZZ_SECONDS (600) a parser
	MINUTES=$(or $(CHURN_MINUTES),30) scripts/churn.sh
	SPILLWAY_SEEDS=$(or $(SEEDS),1000) cargo test -p spillway-sfu --locked --test engine -- whatever_the_path_does
	scripts/fuzz.sh
	tests/e2e/setup.sh
	cargo build --profile quick --locked -p spillway -p spillway-hls
	SPILLWAY_BIN=$(BIN)/spillway SPILLWAY_IDLE_MACHINE=1 npm --prefix tests/e2e run soak

setup: ## install what building needs and isn't there
	@scripts/setup.sh

# Everything of the pages but what is made of it.
WEB_SOURCES := $(shell find web-client \( -name node_modules -o -name dist \) -prune -o -type f -print)

web-client/dist/index.html: web-client/node_modules/.package-lock.json $(WEB_SOURCES)
	npm --prefix web-client run build

web-client/node_modules/.package-lock.json: web-client/package-lock.json | setup
	cd web-client && npm ci --no-audit --no-fund
	touch $@

# Enough to check them; what running them needs too, tests/e2e/setup.sh installs.
tests/e2e/node_modules/.package-lock.json: tests/e2e/package-lock.json
	cd tests/e2e && npm ci --ignore-scripts --no-audit --no-fund
	touch $@
