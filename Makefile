# What a stranger needs: `make serve` and `make test`. Python 3.11 or newer is all that must be there.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: serve test install check bench faults fuzz authz-mutants companion-train docs lock

serve: install
	@$(BIN)/holdfast serve

test: $(VENV)/.test
	$(BIN)/python -m pytest -n 4

install: $(VENV)/.serve

check: $(VENV)/.test
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy holdfast
	$(BIN)/python -m pytest tests/test_architecture.py

bench: $(VENV)/.test
	$(BIN)/python bench/start.py
	$(BIN)/python bench/compare.py
	$(BIN)/python bench/alarm.py

faults: $(VENV)/.test
	$(BIN)/python -m pytest -m slow -rP
	$(BIN)/python tests/faults/kill_at_random.py

fuzz: $(VENV)/.test
	$(BIN)/python tests/faults/fuzz_api.py --max-examples $(EXAMPLES)

EXAMPLES ?= 20

authz-mutants: $(VENV)/.test
	$(BIN)/python tests/faults/authz_mutants.py

companion-train: $(VENV)/.test
	$(BIN)/python bench/train.py

docs: $(VENV)/.test
	$(BIN)/python docs/generate.py

lock:
	$(PYTHON) -m venv $(VENV)/lock && $(VENV)/lock/bin/pip install --quiet pip-tools
	$(VENV)/lock/bin/pip-compile $(LOCK) --output-file requirements/serve.txt pyproject.toml
	$(VENV)/lock/bin/pip-compile $(LOCK) --extra test --constraint requirements/serve.txt --output-file requirements/test.txt pyproject.toml

LOCK := --quiet --generate-hashes --strip-extras --allow-unsafe --no-emit-index-url --no-emit-trusted-host --no-emit-find-links --no-header --no-annotate

$(VENV)/.serve: requirements/serve.txt pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/serve.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --no-index --editable .
	@touch $@

$(VENV)/.test: requirements/test.txt $(VENV)/.serve
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/test.txt
	@touch $@
