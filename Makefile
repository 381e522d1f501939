# The commands of this project; `make` lists them. Building and running needs Rust alone.

TARGET := $(or $(CARGO_TARGET_DIR),target)
TOOLS := $(TARGET)/tools
WEB := dashboards/web
ARGUMENTS ?=

.DEFAULT_GOAL := help
.PHONY: help build run test e2e lint portable bench tools generate

# The goals after `e2e` are names of its parts.
ifeq (e2e,$(firstword $(MAKECMDGOALS)))
PART ?= $(wordlist 2,$(words $(MAKECMDGOALS)),$(MAKECMDGOALS))
.PHONY: $(PART)
$(PART): ; @:
else
help: ## List the commands
	@sed -n 's/^\([a-z0-9]*\):.*## /\1\t/p' Makefile | expand -t 12
endif

build: ## Build target/release/aura, with the page in it
	cargo build --release --locked --package aura-agent

run: build ## Build and start it; it says where to look (ARGUMENTS="--log.level=debug" to pass flags)
	exec $(TARGET)/release/aura $(ARGUMENTS)

test: tools ## Run everything: unit, property, golden, end to end with real peers, the page, the page in a browser
	@tests/count -- sh -c 'tests/cargo; rust=$$?; tests/page && exit $$rust'

e2e: tools ## Run what asks too much for every change: built peers, bare systems, hours; `make e2e help` lists the parts, `make e2e PART...` runs some
	@$(if $(filter help,$(PART)),,tests/count --) tests/e2e $(PART)

lint: tools ## Check format, lints, licences and sources of dependencies, generated files
	cargo fmt --all --check
	cargo clippy --workspace --all-targets --locked -- --deny warnings
	tests/lint

portable: ## Check that what macOS and Windows get builds, as far as Linux can tell
	cargo clippy --locked --package aura-agent --features portable -- --deny warnings

bench: ## Measure against what a user would run instead; prints one table and writes it into docs/benchmarks.md
	cargo build --release --locked --workspace
	tests/bench/run

generate: ## Write the generated part of docs/ and the built page anew
	cargo run --locked --package aura-agent -- generate docs docs
	cd $(WEB) && npm ci && npm run contract && npm run build

tools: ## Install what the tests need beside Rust, where that is allowed
	@tests/tools
