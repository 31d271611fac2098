# Every target makes its own virtual environment: Python 3.11+, gcc and make are all it needs.
.DEFAULT_GOAL := help
PYTHON ?= python3
BIN := .venv/bin
READY := .venv/ready
CODE := agent remediator nodehealth simulator nodemend tests bench
ARGS ?=
SEEDS ?= 10000
FROM ?= 0

.PHONY: help demo test lint check soak days mutants bench lock crds format clean

help: ## Say what can be made.
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## /  make \1\t/' | expand -t 16

$(READY): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "nodemend needs Python 3.11 or newer; $(PYTHON) is $$($(PYTHON) -V). Try: make PYTHON=python3.12 ..." >&2; exit 1; }
	@$(PYTHON) -m venv .venv || \
	  { echo "$(PYTHON) cannot make a virtual environment; on Debian: apt-get install python3-venv" >&2; exit 1; }
	$(BIN)/python -m pip install --quiet --require-hashes --no-deps --requirement requirements.lock
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation --editable .
	@touch $@

demo: $(READY) ## Watch a really sick machine being repaired in a cluster on this laptop.
	$(BIN)/nodemend demo --report demo-report.json $(ARGS)

test: $(READY) ## Run every test.
	$(BIN)/python -m pytest -q --cov --cov-report=term-missing:skip-covered tests/remediator/decide
	$(BIN)/python -m pytest -n auto --dist worksteal $(ARGS)

lint: $(READY) ## Style, types and import contracts.
	$(BIN)/ruff check $(CODE)
	$(BIN)/ruff format --check $(CODE)
	$(BIN)/mypy $(CODE)
	$(BIN)/lint-imports

check: lint test ## Everything that the gate asks.

soak: $(READY) ## Many ordeals of safety: SEEDS=10000 of them, FROM=0 on; says the seed that fails.
	$(BIN)/python -m tests.safety.soak --first $(FROM) --seeds $(SEEDS) $(ARGS)

days: $(READY) ## Two days of a node that is well, works, or counts harmless errors: how often is it written?
	NODEMEND_HOURS=48 $(BIN)/python -m pytest -q -n0 --timeout=7200 --log-cli-level=INFO tests/agent/test_two_days.py $(ARGS)

mutants: $(READY) ## Take one guard out at a time, and see after how many ordeals it is noticed.
	$(BIN)/python -m tests.safety.mutants $(ARGS)

bench: $(READY) ## Measure, and print JSON.
	$(BIN)/python -m bench $(ARGS)

lock: $(READY) ## Pin the dependencies anew (uv comes from the package index).
	$(BIN)/python -m pip install --quiet uv
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-annotate \
	  --no-header --extra dev pyproject.toml --output-file requirements.lock
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-annotate \
	  --no-header --constraint requirements.lock pyproject.toml --output-file deploy/image/requirements.lock

crds: $(READY) ## Write deploy/crds and deploy/admission from the typed values.
	$(BIN)/python -m nodehealth.crds deploy/crds
	$(BIN)/python -m nodehealth.protections deploy/admission

format: $(READY) ## Format the code and mend what ruff can mend.
	$(BIN)/ruff check --fix --quiet $(CODE) || true
	$(BIN)/ruff format --quiet $(CODE)

clean: ## Remove what the other targets made.
	rm -rf .venv .cache .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
