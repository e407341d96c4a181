# make run | test | test-timescale | lint. Settings are variables, of the environment or of make:
#   make run PORT=9100 DATA_DIR=/data BIND=0.0.0.0
# (make exports those of its command line to the recipes; docs/operations/deploy.md lists them).

VENV := .venv
PYTEST_ARGS ?=

.DEFAULT_GOAL := run
.PHONY: run test test-timescale lint install install-dev

# The server takes the place of the recipe's shell, so that a signal to make is a signal to the server.
run: install
	@exec $(VENV)/bin/python manage.py serve

test: install-dev
	@sh scripts/install-node-clients $(VENV) tests/clients
	@sh scripts/install-chromium
	$(VENV)/bin/python -m pytest $(PYTEST_ARGS)

# The tests of what is stored, on a real TimescaleDB: TIMESCALE_URL's, else one prepared under var/ (root, Debian).
test-timescale: install-dev
	$(VENV)/bin/python scripts/timescale.py $(VENV)/bin/python -m pytest \
		-m "storage or timescale or timescale_community" $(PYTEST_ARGS)

lint: install-dev
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy .
	$(VENV)/bin/lint-imports
	$(VENV)/bin/python manage.py makemigrations --check --dry-run
	$(VENV)/bin/python scripts/check_deploy.py

install:
	@PYTHON="$(PYTHON)" sh scripts/install $(VENV) requirements.txt

install-dev:
	@PYTHON="$(PYTHON)" sh scripts/install $(VENV) requirements.txt requirements-dev.txt
