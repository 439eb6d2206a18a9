# Two commands matter: `make run` and `make test`. Both set up what they need first.
BRAND ?= demo
PORT ?= 3000
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.ready
NOT_COMPILED := /(tests?|pip|setuptools|phonenumbers|sqlfluff)/
SPARK_VENV := .venv-spark
SPARK_STAMP := $(SPARK_VENV)/.ready

export DAGSTER_DISABLE_TELEMETRY := 1
export GX_ANALYTICS_ENABLED := false
export DBT_SEND_ANONYMOUS_USAGE_STATS := false

.PHONY: help setup run test test-fast lint format ui check bench evaluate spark spark-setup lock clean

help: ## this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

$(STAMP): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 14))' \
		|| { echo "Tessera needs Python 3.11, 3.12 or 3.13; name one with: make PYTHON=python3.11 $(MAKECMDGOALS)"; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "Installing the pinned packages into $(VENV) (about a minute, once) ..."
	@# uv is faster; where it cannot be installed or cannot reach the index as pip does, pip does the same.
	@{ $(BIN)/python -m pip install --quiet --disable-pip-version-check uv==0.13.9 \
		&& $(BIN)/uv pip install --quiet --python $(BIN)/python -r requirements.lock; } \
		|| $(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps -e .
	@# What runs import, compiled at once and on all cores: where Python may not write byte code, every process would compile it again.
	@$(BIN)/python -m compileall -q -j 0 -x '$(NOT_COMPILED)' $(VENV)/lib/python*/site-packages orchestration ml simulator >/dev/null || true
	@touch $@

setup: $(STAMP) ## create .venv and install the pinned packages

run: setup ## build and publish the brand's warehouse (BRAND=demo)
	@$(BIN)/tessera run --brand $(BRAND)

# Files of tests run side by side, each file in one process: what a file builds once, it builds once. The integration tests come first,
# few and long; short files fill up the end.
test: setup ## the whole suite
	@$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder

test-fast: setup ## the inner loop: everything that takes neither a warehouse, a process nor many histories
	@$(BIN)/python -m pytest -n 2 --dist loadfile -m "not slow"

lint: setup ## style, types, import rules, SQL style, brand configurations
	@$(BIN)/ruff check . && $(BIN)/ruff format --check .
	@$(BIN)/pyright --warnings
	@$(BIN)/lint-imports --no-logo
	@$(BIN)/sqlfluff lint --nocolor --disable-progress-bar dbt_project/models dbt_project/tests

format: setup ## apply the formatter
	@$(BIN)/ruff check --fix . && $(BIN)/ruff format .

ui: setup ## Dagster on http://127.0.0.1:3000 for the brand (BRAND=…, PORT=…)
	@$(BIN)/tessera ui --brand $(BRAND) --port $(PORT)

check: setup ## validate the brand's configuration without running it
	@$(BIN)/tessera check --brand $(BRAND)

evaluate: setup ## models beside the published and measured references, gate by gate
	@$(BIN)/python -m benchmarks.evaluate

bench: setup ## repeatable measurements, as ratios
	@$(BIN)/python -m benchmarks

$(SPARK_STAMP): requirements-spark.lock | $(STAMP)
	@test -x $(SPARK_VENV)/bin/python || $(BIN)/python -m venv $(SPARK_VENV)
	@echo "Installing Spark and its dbt into $(SPARK_VENV) (600 MB, a minute or two, once) ..."
	@{ test -x $(BIN)/uv && $(BIN)/uv pip install --quiet --python $(SPARK_VENV)/bin/python -r requirements-spark.lock; } \
		|| $(SPARK_VENV)/bin/python -m pip install --quiet --disable-pip-version-check -r requirements-spark.lock
	@touch $@

spark-setup: $(SPARK_STAMP) ## create .venv-spark: Spark and its dbt, apart from everything else

spark: $(SPARK_STAMP) ## compare DuckDB and Spark over the brand's lake, model by model (BRAND=demo; needs Java 17)
	@$(BIN)/tessera parity --brand $(BRAND)

lock: $(BIN)/python ## resolve pyproject.toml and requirements-spark.in anew into their locks
	@$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --no-emit-index-url --no-header --no-annotate \
		--group dev pyproject.toml -o requirements.lock
	@$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --no-emit-index-url --no-header --no-annotate \
		requirements-spark.in -o requirements-spark.lock

clean: ## remove what building left in the tree (not the data)
	rm -rf dbt_project/target dbt_project/logs build *.egg-info .pytest_cache .ruff_cache
