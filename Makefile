# The two commands of a newcomer are `make demo` and `make test`; `make check` is what a contributor runs.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
RUN_READY := $(VENV)/.run-ready
TEST_READY := $(VENV)/.test-ready

.PHONY: demo test lint check format bench docs lock servers clean

demo: $(RUN_READY)
	$(BIN)/petahour demo

test: $(TEST_READY) servers
	$(BIN)/python -m pytest $(TESTS)

lint: $(TEST_READY)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

check: lint test

format: $(TEST_READY)
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: $(TEST_READY) servers
	$(BIN)/python benchmarks/latency.py
	$(BIN)/python benchmarks/submissions.py
	$(BIN)/python benchmarks/submissions.py --postgres
	$(BIN)/python benchmarks/control_step.py
	$(BIN)/python benchmarks/scheduler.py
	$(BIN)/python benchmarks/simulator.py
	$(BIN)/python benchmarks/turns.py
	$(BIN)/python benchmarks/money.py --prove
	$(BIN)/python benchmarks/money.py --postgres
	$(BIN)/python benchmarks/engines.py
	$(BIN)/python benchmarks/takeover.py
	$(BIN)/python benchmarks/close_month.py
	$(BIN)/python benchmarks/quote/search.py
	$(BIN)/python benchmarks/quote/accuracy.py --runs benchmarks/quote/ten_runs.csv --rows
	$(BIN)/python benchmarks/quote/accuracy.py --runs benchmarks/quote/unseen_runs.csv --rows

# The locked versions of everything. The local version is what lies in src, so it is installed as editable.
$(RUN_READY): requirements.lock pyproject.toml
	./scripts/make-venv $(PYTHON) $(VENV)
	./scripts/install-print
	$(BIN)/pip install --quiet --require-hashes -r requirements.lock
	$(BIN)/pip install --quiet --no-deps --editable .
	touch $@

$(TEST_READY): requirements-dev.lock requirements-torch.txt $(RUN_READY)
	$(BIN)/pip install --quiet --require-hashes -r requirements-dev.lock
	$(BIN)/pip install --quiet -r requirements-torch.txt
	touch $@

# Tests run against a real PostgreSQL and a real Slurm; they come from the distribution.
servers:
	./scripts/install-servers

docs: $(TEST_READY)
	_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION=1 $(BIN)/python -m typer petahour.cli.main utils docs --name petahour --output docs/reference/command-line.md

lock:
	uv pip compile --python-version 3.11 --no-emit-index-url --generate-hashes --no-annotate --no-header \
	  pyproject.toml -o requirements.lock
	uv pip compile --python-version 3.11 --no-emit-index-url --generate-hashes --no-annotate --no-header \
	  pyproject.toml --group dev -o requirements-dev.lock

clean:
	rm -rf $(VENV) dist build .mypy_cache .ruff_cache .pytest_cache .hypothesis
