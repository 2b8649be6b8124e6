# One set of commands for people, hooks and CI. `make help` lists them.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
# uv does not read pip's settings: hand on where pip would look for packages.
export UV_FIND_LINKS ?= $(PIP_FIND_LINKS)
export PATH := $(CURDIR)/$(BIN):$(PATH)
# Folders count too: their time changes when a file in them is taken away.
DEFINITIONS := $(shell find conf stages requirements*.lock -type d -o -name '*.yaml' -o -name '*.py' -o -name '*.lock')

.DEFAULT_GOAL := help
.PHONY: help install compose remote pull push repro sweep leaderboard experiments adopt serve test lint types format check verify set-reference register promote rollback history plots report refetch summary comment propose readme lock clean hooks

help: ## List the commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-13s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

install: $(READY) ## Build the environment in .venv, exactly as the lock files say
	@$(MERGE_DRIVER)

# How git is to merge dvc.lock, which .gitattributes names: by stage. Git keeps this per clone.
MERGE_DRIVER := git config merge.dvc-lock.name "entries of dvc.lock, each whole" && \
  git config merge.dvc-lock.driver 'python=.venv/bin/python; test -x $$python || python=python3; \
  $$python -m commands.workspace.merge_lock %O %A %B'
INSTALL := $(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --require-hashes --compile-bytecode
# torch has locks of its own. Its CPU build is a tenth of the size, but no package index has it: it
# is taken where pip's find-links (or UV_FIND_LINKS) lead to it and there is no GPU, else the index's.
$(READY): requirements.lock requirements-torch.lock requirements-torch-cpu.lock
	@test ! -L $(VENV) || { echo "$(VENV) is a link: what it leads to would be emptied. Take it away, or \`touch $(READY)\` if it holds what the lock files say"; exit 1; }
	$(PYTHON) -m venv --clear $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check "$$(grep -o '^uv==[0-9.]*' requirements.lock)"
	$(INSTALL) -r requirements.lock
	@$(if $(wildcard /dev/nvidia0),false,$(INSTALL) -r requirements-torch-cpu.lock 2>/dev/null) || \
	  $(INSTALL) -r requirements-torch.lock
	@$(MERGE_DRIVER) || true
	@touch $@

# Written by compose: older than conf/ or than params.yaml, that is to be composed or looked at anew.
COMPOSED := .dvc/tmp/composed
$(COMPOSED): $(READY) $(DEFINITIONS) params.yaml dvc.yaml
	@python -m commands compose
params.yaml dvc.yaml: ;

compose: $(READY) ## Write params.yaml and dvc.yaml from conf/ and stages/
	@python -m commands compose

remote: $(READY) ## Share the cache through URL=s3://bucket/path, or URL=/a/folder
	@test -n "$$URL" || { echo "where? make remote URL=s3://bucket/path, or a folder"; exit 2; }
	@dvc remote add --quiet --local --force --default shared "$$URL"
	@dvc remote modify --local shared verify true

pull: $(COMPOSED) ## Restore from the remote what dvc.lock names, and from the run cache the rest
	@python -m commands restore

push: $(READY) ## Send cache and run cache to the remote; safe to interrupt and run again
	@python -m commands push

repro: $(COMPOSED) ## Run what has changed; with JOBS=2 independent stages side by side
	@$(if $(JOBS),python -m commands repro --jobs $(JOBS),python -m commands repair && dvc repro)

sweep: $(COMPOSED) ## Queue and run the search conf/search/SEARCH.yaml, then rank what came out
	@python -m commands sweep $(SEARCH) $(if $(JOBS),--jobs $(JOBS))

leaderboard: $(READY) ## Rank the candidates of this commit and of its experiments
	@python -m commands leaderboard $(TASK)

experiments: $(READY) ## Compare this commit with its experiments: champions, and what differs
	@python -m commands experiments

# Without TASK: the values of an experiment, EXPERIMENT=… or the one that was applied.
adopt: $(READY) ## Write into conf/ what `tune` found for TASK=… MODEL=…, or what an experiment set
	@python -m commands $(if $(TASK),adopt $(TASK) $(MODEL),adopt-experiment $(EXPERIMENT))

serve: $(READY) ## Serve the models under models/ on http://127.0.0.1:8000
	@SERVE_DEFAULT_TASK=$${SERVE_DEFAULT_TASK:-heart} python -m serve

test: check ## Lint, type-check and test
	python -m pytest -n 2 --dist loadfile --no-loadscope-reorder -rs

check: lint types ## Lint and type-check

lint: $(READY)
	ruff check .
	ruff format --check .
	lint-imports --no-cache

types: $(READY)
	mypy

format: $(READY) ## Put the code in order
	ruff check --fix .
	ruff format .

verify: $(READY) ## Check every tracked file and cache object against its hash
	@python -m commands verify

set-reference: $(READY) ## Compare later tables of TASK=… with the one validated last
	@python -m commands set-reference $(TASK)

register: $(READY) ## Log TASK=… with MLflow and register its model as challenger
	@python -m commands register $(TASK)

# Who decides is whom git knows here, unless BY=… says otherwise.
promote rollback: export BY ?= $(shell git config user.name)
promote: $(READY) ## Make the challenger of TASK=… champion if it is better; WHY=… goes into the log
	@python -m commands promote $(TASK) --by "$$BY" --why "$$WHY"

rollback: $(READY) ## Make the previous champion of TASK=… champion again; WHY=…
	@python -m commands rollback $(TASK) --by "$$BY" --why "$$WHY"

history: $(READY) ## Show who was champion of TASK=… and when, every hash verified
	@python -m commands history $(TASK) --verify

plots: $(READY) ## Draw all plots into one page, dvc_plots/index.html, that works offline
	@python -m commands plots

BASE ?= main

report: $(READY) ## Report what changed against BASE=main in data/report; fails on a regression
	@python -m commands report --base "$(BASE)"

refetch: $(COMPOSED) ## Ask every source again: downloads and databases, which DVC cannot see
	@dvc repro --force $$(dvc stage list --name-only | grep '^fetch@')

# The next three are for workflows; they need no environment but Python's own.
summary: ## Show the report in the summary of a workflow's run
	@$(PYTHON) -m commands.review.summary

comment: ## Post the report on its pull request, or update the one it has there
	@$(PYTHON) -m commands.review.comment

propose: ## Open a pull request with a new dvc.lock and its report
	@$(PYTHON) -m commands.review.propose

readme: $(READY) ## Bring the generated tables of README.md up to date
	@python -m tests.support.readme

RESOLVE := uv pip compile --quiet --python-version 3.11 --generate-hashes --no-emit-index-url \
  --no-annotate --no-header
UNIVERSAL := $(RESOLVE) --universal --fork-strategy fewest
TORCH = $$(grep -o '^torch==[0-9.]*' requirements-torch.lock | head -1)
# Left out: a GPU library that xgboost does without, and a framework that the weights' package names
# but whose code nobody here runs.
lock: $(READY) ## Resolve pyproject.toml anew into the lock files
	echo "torch; python_version < '3'" | $(UNIVERSAL) --upgrade --group dev --override - \
	  --no-emit-package nvidia-nccl-cu12 --no-emit-package sentence-transformers \
	  pyproject.toml -o requirements.lock
	grep -o 'torch==[0-9.*]*' pyproject.toml | UV_FIND_LINKS= $(UNIVERSAL) --upgrade \
	  -c requirements.lock - -o requirements-torch.lock
	echo "$(TORCH)+cpu" | $(RESOLVE) -c requirements.lock - -o requirements-torch-cpu.lock || \
	  echo "$(TORCH)+cpu is not at hand: requirements-torch-cpu.lock is out of date"

hooks: $(READY) ## Run `make check` before every commit, and merge dvc.lock by stage
	pre-commit install
	@$(MERGE_DRIVER)

clean: ## Remove the environment and every cache but DVC's
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis dvc_plots
