# `make demo` shows greencode at work; `make test` runs the tests and checks, `make test-slow` those that take long.
# All need Python 3.11+; the client inside `make test` needs node 20+. After the first run none needs a network.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check install --quiet --constraint constraints.txt

.PHONY: demo test test-slow test-python test-client test-editor check soak fuzz clean

demo: $(VENV)/.installed
	$(BIN)/greencode models pull smollm2-135m
	$(BIN)/greencode complete examples/stack.py --at 27:9
	$(BIN)/greencode complete examples/Vector.java --at 18:9
	$(BIN)/greencode complete examples/Vector.java --at 18:9 --profile exact

test: check test-python test-client test-editor

check: $(VENV)/.installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# Tests run side by side, one on each processor, and with one thread each: all servers find the same costs in the cache.
test-python test-slow test-client test-editor: export OMP_NUM_THREADS := 1

PYTEST := $(BIN)/pytest --numprocesses=logical --maxprocesses=4

test-python: $(VENV)/.installed-dev
	$(PYTEST) --dist=worksteal

# Long trainings and whole pipelines: tests marked as slow. By file, as the tests of one share what was trained.
test-slow: $(VENV)/.installed-dev
	$(PYTEST) --dist=loadfile -m slow

test-client: $(VENV)/.installed-dev vscode-client/node_modules/.installed
	cd vscode-client && GREENCODE_LSP=$(abspath $(BIN)/greencode-lsp) npm run check
	cd vscode-client && npm run package

# In a real VS Code, where node 20, chromium and code-server can be had; elsewhere it says what is missing.
test-editor: test-client
	cd vscode-client && GREENCODE_LSP=$(abspath $(BIN)/greencode-lsp) npm run test:editor

# Three editors' habits at once against real servers; no part of `make test`. See docs/soak.md.
MINUTES ?= 10
SEED ?= 0
soak: $(VENV)/.installed-dev
	$(BIN)/python -m tests.soak --minutes $(MINUTES) --seed $(SEED)

# Mutated models, bundles, caches and LSP traffic; no part of `make test`, but for a short run. See docs/fuzz.md.
fuzz: $(VENV)/.installed-dev
	$(BIN)/python -m tests.fuzz --minutes $(MINUTES) --seed $(SEED)

clean:
	rm -rf $(VENV) vscode-client/node_modules vscode-client/dist vscode-client/out .mypy_cache .pytest_cache .ruff_cache

$(VENV)/bin/python:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "greencode needs Python 3.11 or newer")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip --disable-pip-version-check install --quiet --upgrade "pip>=24.1"

$(VENV)/.installed: $(VENV)/bin/python pyproject.toml constraints.txt
	$(PIP) --editable .
	touch $@

$(VENV)/.installed-dev: $(VENV)/bin/python pyproject.toml constraints.txt
	$(PIP) --editable ".[dev]"
	touch $(VENV)/.installed $@

vscode-client/node_modules/.installed: vscode-client/package.json vscode-client/package-lock.json
	cd vscode-client && npm ci --ignore-scripts --no-audit --no-fund
	touch $@
