# One word each, the same here and in CI. `make` alone lists them.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check -q
# uv is ten times as fast; where it cannot reach an index that pip is configured for, pip does it
INSTALL = $(BIN)/uv pip install -q --python $(BIN)/python -c constraints.txt -e
FALLBACK = $(PIP) install -c constraints.txt -e

# byte code is cached on first use; where it may not be, every command would compile its libraries anew
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help setup lab test test-all lint format bench serve deploy clean

help: ## list the targets
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | awk -F'\t' '{printf "  make %-10s %s\n", $$1, $$2}'

setup: $(VENV)/.ready userland ## build .venv with locked versions and fetch what lab hosts need

$(VENV)/.ready: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed; set PYTHON=…" >&2; exit 3; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV) || { echo "python3-venv is missing: apt-get install python3-venv" >&2; exit 3; }
	@echo "python packages: installing locked versions into $(VENV)"
	@$(PIP) install uv
	@$(INSTALL) . 2>/dev/null || $(FALLBACK) .
	@touch $@

$(VENV)/.ready-dev: $(VENV)/.ready
	@echo "python packages: installing what only tests need"
	@$(INSTALL) '.[dev]' 2>/dev/null || $(FALLBACK) '.[dev]'
	@touch $@

.PHONY: userland
userland: $(VENV)/.ready
	@$(BIN)/bgp-lab setup >/dev/null

lab: setup ## run the whole guide on this machine and write a report
	@$(BIN)/bgp-lab run

test: setup $(VENV)/.ready-dev ## run the tests (at most 6 minutes on 2 cores)
	@scripts/test "not slow"

test-all: setup $(VENV)/.ready-dev lint ## tests, and what is slow: kills, clones, an ordinary user, a browser
	@scripts/test ""

lint: $(VENV)/.ready-dev ## style, types and import contracts
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(VENV)/.ready-dev ## put the code into its standard form
	$(BIN)/ruff check --fix-only .
	$(BIN)/ruff format .

bench: setup $(VENV)/.ready-dev ## measure what docs/benchmarks.md claims
	$(BIN)/python -m benchmarks

serve: setup ## Prefect server, worker, deployments and reports on this machine's loopback
	@$(BIN)/bgp-lab serve

deploy: setup ## register the deployments on the Prefect server that PREFECT_API_URL names
	@$(BIN)/bgp-lab deploy

clean: ## take every lab down and remove what make made here
	-@test -x $(BIN)/bgp-lab && $(BIN)/bgp-lab down --all
	rm -rf $(VENV) build *.egg-info .pytest_cache .mypy_cache .ruff_cache .import_linter_cache
