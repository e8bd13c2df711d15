# `make` lists the targets; `make demo` and `make test` are all a newcomer needs.
.DEFAULT_GOAL := help
SHELL := /bin/bash

DUCKDB_PACKAGE := @duckdb/node-bindings-linux-x64@1.5.6-r.1
DUCKDB_SHA256 := 1b9f82478539bb9a1d1df44bd103121a12ae52142c07158dc52b97d2ec1d69ff
# Empty where the prebuilt library is used; the feature that compiles DuckDB in where it cannot be had.
FEATURES = $(shell test -e .duckdb/libduckdb.so || echo --features bundled)

.PHONY: help setup demo test lint bench

help: ## list the targets
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 10

setup: ## fetch the prebuilt DuckDB library (once; seconds)
	@if [ -e .duckdb/libduckdb.so ]; then exit 0; fi; \
	if [ "$$(uname -sm)" != "Linux x86_64" ] || ! command -v npm >/dev/null; then \
		echo "no prebuilt DuckDB for this machine (or no npm): DuckDB will be compiled from source, about half an hour"; exit 0; \
	fi; \
	directory=$$(mktemp -d) && trap 'rm -rf "$$directory"' EXIT && \
	archive=$$(npm pack --silent --pack-destination "$$directory" '$(DUCKDB_PACKAGE)') && \
	echo "$(DUCKDB_SHA256)  $$directory/$$archive" | sha256sum --check --quiet && \
	mkdir -p .duckdb && tar -xzf "$$directory/$$archive" -C "$$directory" package/libduckdb.so && \
	mv "$$directory/package/libduckdb.so" .duckdb/libduckdb.so && \
	echo "DuckDB 1.5.6 is in .duckdb/"

demo: setup ## build strata, then run the whole pipeline on two days of sample data (TARGET=stage: also as on Snowflake)
	@./demo.sh "$(FEATURES)" $(TARGET)

test: setup ## run every test
	cargo test $(FEATURES)

lint: setup ## formatting and clippy, warnings denied
	cargo fmt --check
	cargo clippy --all-targets $(FEATURES) -- -D warnings

bench: setup ## time parsing and compiling of a generated project
	cargo bench $(FEATURES)
