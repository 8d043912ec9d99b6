# Two commands matter: `make demo` and `make test`. `make help` lists the rest.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
SERVE ?= 1
WORKERS ?= 2

# The small systems of our fits are solved faster by one thread than by several that wait for each other.
export OPENBLAS_NUM_THREADS := 1

.PHONY: help setup demo test lint check endurance bench bench-quick docs lock clean

help: ## List the targets
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' Makefile | expand -t 12

setup: $(VENV)/.installed ## Install everything into .venv

$(VENV)/.installed: requirements.lock pyproject.toml cli/preflight.py
	$(PYTHON) cli/preflight.py
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --disable-pip-version-check --quiet --no-deps --no-build-isolation -e .
	$(BIN)/python -m cli.compile
	touch $@

demo: setup ## Ingest, train, score and list real customers, then serve (SERVE=0: stop before serving)
	REGULARS_OPEN=1 $(BIN)/regulars demo $(if $(filter 0,$(SERVE)),--no-serve,--serve)

test: setup ## Run every test, on SQLite and PostgreSQL
	$(BIN)/python -m pytest -n $(WORKERS) --dist worksteal

lint: setup ## Run ruff, mypy and import-linter
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

check: lint test ## Everything that has to hold before a change lands

endurance: setup ## Run the long tests
	$(BIN)/python -m pytest tests/endurance

bench: setup ## Measure every claim beside its peer, at full size, and draw the growth into docs/
	@# The rest runs whatever falls short, and a shortfall is the exit status.
	status=0; $(BIN)/python -m benchmarks --charts docs || status=$$?; \
	for name in benchmarks.churn_choices benchmarks.one_customer benchmarks.simulate benchmarks.serve; do \
		$(BIN)/python -m $$name || status=$$?; \
	done; exit $$status

bench-quick: setup ## The same claims with a twentieth of the customers
	$(BIN)/python -m benchmarks --share 0.05

docs: setup ## Write the generated parts of docs/ anew
	$(BIN)/python -m cli.document

lock: setup ## Resolve requirements.lock anew
	$(BIN)/uv pip compile --quiet --upgrade --generate-hashes --no-header --no-emit-index-url --python-version 3.11 \
		--extra dev pyproject.toml --output-file requirements.lock

clean: ## Remove what was installed and made; the database in var/ too
	rm -rf $(VENV) var regulars.env .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
