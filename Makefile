# Squareoff. `make run` sets up what is missing and starts everything; `make test` proves it.
# Every command may run on a machine that has a Rust toolchain, Node and the system's package manager, and nothing else.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.PHONY: help run demo test fmt lint unit doc deploy-check advisories fix-conformance bench bench-peers load soak mutants events-doc openapi clients fuzz setup test-setup sqlx-prepare

CARGO_TARGET_DIR ?= $(CURDIR)/target
export CARGO_TARGET_DIR
RELEASE := $(CARGO_TARGET_DIR)/release

help: ## lists the commands
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F':.*## ' '{ printf "make %-14s %s\n", $$1, $$2 }'

setup: ## installs what is missing to build and run
	@deploy/setup.sh run

test-setup:
	@deploy/setup.sh test

run: setup ## everything on this machine, until Ctrl-C
	@cargo build --release --locked --bins --workspace --exclude squareoff-bench
	@exec $(RELEASE)/squareoff up

demo: setup ## a thousand square-offs through HTTP, checked end to end
	@cargo build --release --locked --bins --workspace --exclude squareoff-bench
	@exec $(RELEASE)/squareoff demo

test: test-setup fmt lint unit fix-conformance doc deploy-check advisories ## formatting, lints, every test, doc tests, known advisories

fmt:
	cargo fmt --all --check

lint:
	cargo clippy --locked --workspace --all-targets --all-features -- -D warnings

unit:
	cargo build --locked --workspace --all-features --bins
	cargo nextest run --locked --workspace --all-features --no-fail-fast

doc:
	cargo test --locked --workspace --all-features --doc
	RUSTDOCFLAGS='-D warnings' cargo doc --locked --workspace --no-deps --document-private-items

SCRIPTS ?=

fix-conformance: ## plays public FIX acceptance scripts against our engine; SCRIPTS=<folder> names them, ../shared/fix44-acceptance otherwise
	@cargo run --quiet --locked -p squareoff-fix --example fix-conformance -- run $(SCRIPTS)

deploy-check:
	tests/deploy/check.sh

advisories: ## what we depend on against the known advisories, as far as tools and data are there
	tests/advisories/check.sh

SOAK_CASES ?= 1000000

soak: ## the position's invariants over a million histories each (SOAK_CASES sets another number), each kind of log with 100,000 streams, and 100,000 edits
	PROPTEST_CASES=$(SOAK_CASES) cargo nextest run --locked -p squareoff-domain -E 'test(invariant_)'
	STORE_TEST_STREAMS=100000 cargo nextest run --locked -p squareoff-store -E 'test(many_streams_keep_their_own_versions)'
	AUDIT_EDITS=100000 cargo nextest run --locked -p squareoff-auditor -E 'test(random_edits)'

# A few hundred histories find what ten thousand do, but for the rarest; unoptimised, because each mutant is compiled anew.
mutants: ## every small change of the position's rules that no test notices; an hour or more
	@command -v cargo-mutants >/dev/null || cargo install --locked cargo-mutants
	env -u CARGO_TARGET_DIR PROPTEST_CASES=120 cargo mutants -p squareoff-domain -f 'crates/domain/src/position/**/*.rs' --test-tool nextest --timeout 120 \
	  --output target --cargo-arg=--config --cargo-arg=profile.dev.package.squareoff-domain.opt-level=0 \
	  -- -E 'not test(histories_reach)'

bench: setup ## append, replay, adapter, projection, rebuild and end to end, as lines of JSON
	@cargo build --release --locked --workspace --bins
	@$(RELEASE)/squareoff-bench all

load: setup ## the API under load: 10,000 live connections, ten times what a node takes, square-offs and queries at a fixed rate
	@cargo build --release --locked --workspace --bins
	@tests/load/run.sh

bench-peers: ## append and replay beside UmaDB, SierraDB and Postgres, FIX beside hotfix and QuickFIX, installed under target/peers; 10 minutes behind the builds
	@deploy/setup.sh peers
	@bench/peers/run.sh all

FUZZ_SECONDS ?= 300

fuzz: ## looks for histories and FIX bytes that break the rules, FUZZ_SECONDS (300) for each of seven targets; needs nightly Rust and cargo-fuzz
	@cargo +nightly fuzz --version > /dev/null || { echo 'first: rustup toolchain install nightly && cargo install cargo-fuzz' >&2; exit 1; }
	@cd crates/domain/fuzz && for target in position platform bulk suspense approval; do \
		mkdir -p found/$$target; \
		env -u CARGO_TARGET_DIR cargo +nightly fuzz run --sanitizer none -O --debug-assertions $$target found/$$target corpus/$$target \
			-- -max_total_time=$(FUZZ_SECONDS) -max_len=1024 -timeout=20; \
	done
	@cd crates/fix/fuzz && for target in codec session; do \
		mkdir -p found/$$target; \
		env -u CARGO_TARGET_DIR cargo +nightly fuzz run --sanitizer none -O --debug-assertions $$target found/$$target corpus/$$target \
			-- -max_total_time=$(FUZZ_SECONDS) -max_len=4096 -timeout=20; \
	done

events-doc: ## writes docs/EVENTS.md anew after a change of events or their doc comments
	UPDATE=1 cargo nextest run --locked -p squareoff-store -E 'test(events_doc) + test(stored_events)'

openapi: ## writes docs/openapi.json anew after a change of routes, requests or answers
	UPDATE=1 cargo nextest run --locked --workspace --all-features -E 'package(squareoff-api) & test(the_document_is_what_the_code_says)'

clients: test-setup ## generates the Python and the TypeScript client of docs/openapi.json into target/clients
	tests/clients/generate.sh $(CARGO_TARGET_DIR)/clients

sqlx-prepare: setup ## writes the queries' offline data anew after a change of SQL or migrations
	@crates/projections/prepare.sh
