# Everything a developer types. PYTHON chooses the interpreter (3.11 or newer), VENV where its environment stands.
PYTHON ?= python3
VENV ?= .venv
OUT ?= demo-out

BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet -c constraints.txt
BASE := $(VENV)/.base-installed
DEMO := $(VENV)/.demo-installed
FULL := $(VENV)/.full-installed

.DEFAULT_GOAL := help
.PHONY: help setup demo test test-unit test-slow lint format bench docs reference figures clean

help:
	@echo "make demo    draw pictures, train a network that learns a shortcut, audit it: $(OUT)/audit/report.html"
	@echo "make test    unit suite, then the slow one (installs every extra)"
	@echo "make lint    ruff, pyright, import contracts, spelling, licences, tree"
	@echo "make bench   speed against peers"
	@echo "make docs    the documentation as pages in site/"
	@echo "make setup   the environment in $(VENV) that all of these use"

setup: $(FULL)

$(BASE): pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(PIP) -e .
	@touch $@

$(DEMO): $(BASE)
	$(PIP) -e '.[smp]'
	@touch $@

$(FULL): $(BASE)
	$(PIP) -e '.[all,test,lint,docs,bench]'
	@touch $@

demo: $(DEMO)
	$(BIN)/figureground demo --out $(OUT)

test: test-unit test-slow

test-unit: $(FULL)
	$(BIN)/python -m pytest -n auto --dist worksteal

test-slow: $(FULL)
	$(BIN)/python -m pytest -n auto --dist loadfile -m slow

lint: $(FULL)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright --pythonpath $(BIN)/python
	$(BIN)/lint-imports
	$(BIN)/codespell src docs scripts benchmarks README.md CHANGELOG.md CONTRIBUTING.md Makefile .ci/run
	$(BIN)/python scripts/check_licences.py
	$(BIN)/python scripts/check_tree.py

format: $(FULL)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(FULL)
	$(BIN)/python -m benchmarks

docs: $(FULL)
	$(BIN)/python scripts/make_reference.py --check
	$(BIN)/mkdocs build --strict --quiet

# The two below rewrite committed files: run them when the code they are made from has changed, and look at the result.
reference: $(FULL)
	$(BIN)/python scripts/make_reference.py

figures: $(FULL) demo
	$(BIN)/python scripts/make_figures.py $(OUT)
	$(BIN)/python scripts/make_pictures.py $(OUT)
	$(BIN)/python scripts/objective_figures.py
	$(BIN)/python scripts/replay_figures.py

clean:
	rm -rf site build dist $(OUT) .pytest_cache .ruff_cache .hypothesis .benchmarks .import_linter_cache
