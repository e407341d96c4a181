# make run | test | test-fast | test-timescale | lint | bench. Settings are variables, of the environment or of make:
#   make run PORT=9100 DATA_DIR=/data BIND=0.0.0.0
# (make exports those of its command line to the recipes; docs/operations/deploy.md lists them).

VENV := .venv
PYTEST_ARGS ?=
PYTEST_JOBS ?= 3
BENCH_ARGS ?=

.DEFAULT_GOAL := run
.PHONY: run test test-fast test-timescale lint bench bench-full bench-storage install install-dev

# The server takes the place of the recipe's shell, so that a signal to make is a signal to the server.
run: install
	@exec $(VENV)/bin/python manage.py serve

test: install-dev
	@sh scripts/install-node-clients $(VENV) tests/support/foreign_clients
	@sh scripts/install-chromium
	$(VENV)/bin/python -m pytest -n $(PYTEST_JOBS) --dist loadfile --durations=15 $(PYTEST_ARGS)

# The tests that start no processes (tests/support/live_marker.py): rules, pages, the API, translations.
test-fast: install-dev
	$(VENV)/bin/python -m pytest -n $(PYTEST_JOBS) --dist loadfile -m "not live" $(PYTEST_ARGS)

# The tests of what is stored, on a real TimescaleDB: TIMESCALE_URL's, else one prepared under var/ (root, Debian).
test-timescale: install-dev
	$(VENV)/bin/python scripts/timescale.py $(VENV)/bin/python -m pytest \
		-m "storage or timescale or timescale_community" --durations=15 $(PYTEST_ARGS)

lint: install-dev
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy .
	$(VENV)/bin/lint-imports
	$(VENV)/bin/python manage.py makemigrations --check --dry-run
	$(VENV)/bin/python scripts/check_deploy.py
	$(VENV)/bin/python scripts/check_deploy.py spectacular --validate --fail-on-warn --file /dev/null

# A cell for each goal in about ten minutes; every combination; samples by the million (BENCH_ARGS="--millions 50").
bench: install-dev
	$(VENV)/bin/python -m bench goals $(BENCH_ARGS)

bench-full: install-dev
	$(VENV)/bin/python -m bench full $(BENCH_ARGS)

bench-storage: install-dev
	$(VENV)/bin/python -m bench storage $(BENCH_ARGS)

install:
	@PYTHON="$(PYTHON)" sh scripts/install $(VENV) requirements.txt

install-dev:
	@PYTHON="$(PYTHON)" sh scripts/install $(VENV) requirements.txt requirements-dev.txt
