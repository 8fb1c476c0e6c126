# Each target does its own set-up; .venv is made once and left alone until the pins change.
PYTHON ?= python3
ifeq ($(OS),Windows_NT)
BIN := .venv/Scripts
else
BIN := .venv/bin
endif

.PHONY: lab test lint types unit notebooks browser conformance clients bench bless lock clean torture setup-lab setup-test

lab: setup-lab
	$(BIN)/llmkit lab

test: lint types unit notebooks browser

lint: setup-test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: setup-test
	$(BIN)/mypy

unit: setup-test
	$(BIN)/python -m pytest -m "not browser"

notebooks: setup-test
	$(BIN)/python -m pytest -p tests.notebook_plugin --nbval --nbval-current-env --nbval-cell-timeout 120 notebooks

browser: setup-test
	$(BIN)/python -m pytest -m browser

conformance: setup-test
	$(BIN)/python -m tests.vendor_conformance

clients: setup-test
	$(BIN)/python -m tests.vendor_clients

bench: setup-test
	$(BIN)/python -m benchmarks.environments
	$(BIN)/python -m benchmarks

bless: setup-test
	$(BIN)/python -m tools.bless

torture: setup-test
	$(BIN)/python -m tools.torture --runs 1000 --kills 500

lock: setup-test
	$(BIN)/python -m tools.lock

clean:
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis .bench screenshots

setup-lab:
	@$(PYTHON) tools/setup.py lab

setup-test:
	@$(PYTHON) tools/setup.py test
