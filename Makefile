# Two commands for a newcomer: `make demo` and `make test`. Needs python3 (3.11 or later) and make.

PYTHON ?= python3
BIN := .venv/bin
READY := .venv/.ready
# Several processes, each with whole files: most tests wait for servers. In the order of tests/conftest.py, the longest
# files first; left to itself, the plugin would begin with those that have the most tests.
PYTEST := $(BIN)/pytest --dist loadfile --no-loadscope-reorder

.PHONY: demo test test-all plugin lint format clean

demo: $(READY)
	$(BIN)/void demo --out demo_out

test: $(READY)
	$(PYTEST) -n 3 -m "not slow"

test-all: $(READY)
	$(PYTEST) -n 2

plugin: $(READY)
	$(BIN)/python -m tools.plugin_zip

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	PYTHONPATH=nuke_plugin $(BIN)/lint-imports

format: $(READY)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:
	rm -rf .venv demo_out dist/void-nuke-*.zip

$(READY): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "the server needs Python 3.11 or later: make PYTHON=python3.11 ...")'
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	@touch $@
