# One set of commands for people, hooks and CI. `make help` lists them.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
# uv does not read pip's settings: hand on where pip would look for packages.
export UV_FIND_LINKS ?= $(PIP_FIND_LINKS)
export PATH := $(CURDIR)/$(BIN):$(PATH)
# Folders count too: their time changes when a file in them is taken away.
DEFINITIONS := $(shell find conf stages requirements.lock -type d -o -name '*.yaml' -o -name '*.py' -o -name '*.lock')

.DEFAULT_GOAL := help
.PHONY: help install compose repro serve test lint types format check verify plots readme lock clean hooks

help: ## List the commands
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

install: $(READY) ## Build the environment in .venv, exactly as requirements.lock says

$(READY): requirements.lock
	$(PYTHON) -m venv --clear $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check "$$(grep -o '^uv==[0-9.]*' requirements.lock)"
	$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --require-hashes --compile-bytecode -r requirements.lock
	@touch $@

params.yaml: $(READY) $(DEFINITIONS)
	@python -m stages.compose
	@touch $@

compose: $(READY) ## Write params.yaml and dvc.yaml from conf/ and stages/
	@python -m stages.compose

repro: params.yaml ## Run what has changed: environment, compose, dvc repro
	@dvc repro

serve: $(READY) ## Serve the models under models/ on http://127.0.0.1:8000
	@SERVE_DEFAULT_TASK=$${SERVE_DEFAULT_TASK:-heart} python -m serve

test: check ## Lint, type-check and test
	python -m pytest -n 2 --dist loadfile

check: lint types ## Lint and type-check

lint: $(READY)
	ruff check .
	ruff format --check .

types: $(READY)
	mypy

format: $(READY) ## Put the code in order
	ruff check --fix .
	ruff format .

verify: $(READY) ## Hold every tracked file and cache object against its hash
	@python -m stages.verify

plots: $(READY) ## Draw all plots into one page, dvc_plots/index.html, that works offline
	@python -m stages.plots

readme: $(READY) ## Bring the generated tables of README.md up to date
	@python -m tests.readme

lock: $(READY) ## Resolve pyproject.toml anew into requirements.lock
	uv pip compile --quiet --universal --fork-strategy fewest --python-version 3.11 --generate-hashes \
	  --no-emit-index-url --no-annotate --no-header --no-emit-package nvidia-nccl-cu12 \
	  --group dev --upgrade pyproject.toml -o requirements.lock

hooks: $(READY) ## Run `make check` before every commit
	pre-commit install

clean: ## Remove the environment and every cache but DVC's
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis dvc_plots
