# `make demo` and `make test` do everything on a fresh machine: environment, install, run.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
ARCH ?= jetson_nano
WORKLOAD ?= lightweight_cnn

.PHONY: demo test test-all lint docs check-python wheel bench clean

demo: $(VENV)/.installed
	$(BIN)/energysim simulate $(WORKLOAD) --arch $(ARCH)

test: $(VENV)/.installed-dev lint
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n auto --dist worksteal -q

# What `test` leaves out too: the larger sisters of networks whose family it covers.
test-all: $(VENV)/.installed-dev lint
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n auto --dist worksteal -q -m "slow or not slow"

lint: $(VENV)/.installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

docs: $(VENV)/.installed-dev
	$(BIN)/python -m mkdocs build --strict

wheel: $(VENV)/.installed-dev
	$(BIN)/python -m build

check-python:
	@command -v $(PYTHON) >/dev/null || { echo "energysim needs Python 3.12 or newer, and '$(PYTHON)' was not found."; exit 2; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 12))' || { \
	  echo "energysim needs Python 3.12 or newer; '$(PYTHON)' is $$($(PYTHON) -V 2>&1)."; \
	  echo "Install a newer Python (for example: apt install python3.12 python3.12-venv, brew install python@3.12,"; \
	  echo "pyenv install 3.12, or uv python install 3.12) and run: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 2; }

$(VENV)/bin/python: | check-python
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: pyproject.toml $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e .
	@touch $@

$(VENV)/.installed-dev: pyproject.toml $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[dev]'
	@touch $@ $(VENV)/.installed

clean:
	rm -rf $(VENV) build dist site .pytest_cache .mypy_cache .ruff_cache .hypothesis
