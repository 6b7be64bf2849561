# Everything a person or a gate does with this repository. `make help` lists the targets.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
UV := $(BIN)/uv
UV_VERSION := 0.13.8
# pip installs this, with whatever index or wheel folder pip is configured for. The CPU build is about 3 GB smaller:
# make install TORCH="torch==2.13.0 --index-url URL-OF-PYTORCH'S-CPU-INDEX"
TORCH ?= torch==2.13.0
INSTALLED := $(VENV)/.installed
LOWEST := $(VENV)/lowest
BENCHMARKS := $(filter-out __init__ load budgets fixed_choices photographs reference_networks do_it_yourself by_command,$(basename $(notdir $(wildcard benchmarks/[a-z]*.py))))
PYTEST := $(BIN)/python -m pytest
TWO := -n 2 --no-loadscope-reorder --max-worker-restart 0
# Quick ones first, the slow ones last; a folder that is not named here is run in the middle, never left out.
LATE := tests/integration tests/e2e
TESTS := $(wildcard tests/test_*.py) \
  $(filter-out $(LATE),$(patsubst %/,%,$(filter-out tests/__pycache__/,$(wildcard tests/*/)))) $(wildcard $(LATE))

# What the CUDA build of torch brings along. It stays out of the lock, so that a CPU build stays a CPU build.
NOT_LOCKED := torch triton cuda-bindings cuda-pathfinder cuda-toolkit nvidia-cublas nvidia-cuda-cupti \
  nvidia-cuda-nvrtc nvidia-cuda-runtime nvidia-cudnn-cu13 nvidia-cufft nvidia-cufile nvidia-curand nvidia-cusolver \
  nvidia-cusparse nvidia-cusparselt-cu13 nvidia-nccl-cu13 nvidia-nvjitlink nvidia-nvshmem-cu13 nvidia-nvtx
RESOLVE := pip compile -q pyproject.toml - --python-version 3.11 --no-annotate \
  $(addprefix --no-emit-package ,$(NOT_LOCKED))
HASHED := --universal --fork-strategy fewest --generate-hashes --custom-compile-command "make lock"

.DEFAULT_GOAL := help
.PHONY: help install demo test test-unit test-slow test-lowest lint format bench chaos sweep load compose-test bundle-test lock openapi docs release clean

help: ## this list
	@sed -nE 's/^([a-z-]+):.*## (.*)/  make \1\t\2/p' Makefile | expand -t 24

install: $(INSTALLED) ## .venv with everything, from the lock file; quick when nothing changed

$(INSTALLED): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; v = sys.version_info; sys.exit(v < (3, 11) and "archsmith needs Python 3.11 or later, this is %d.%d; name another one: make install PYTHON=python3.12" % v[:2])'
	@$(PYTHON) -c 'import ensurepip, venv' || { echo "$(PYTHON) cannot make virtual environments; install its venv package (Debian: apt-get install python3-venv)" >&2; exit 1; }
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install -q --disable-pip-version-check uv==$(UV_VERSION) $(TORCH)
	$(UV) pip install -q --python $(BIN)/python --require-hashes -r requirements.lock
	$(UV) pip install -q --python $(BIN)/python --no-deps --no-build-isolation -e .
	@touch $@

demo: install ## a whole search on the digits data set, from nothing to a checked bundle
	$(BIN)/archsmith demo

test: install ## the whole suite, on two processes, with its coverage
	$(PYTEST) $(TWO) -m "not chaos and not slow" --durations 20 --cov --cov-report=term:skip-covered $(TESTS)

test-unit: install ## the quick part: unit tests without training, services, sweeps and properties; under a minute
	$(PYTEST) $(TWO) -m "not slow and not chaos and not heavy and not sweep and not hypothesis" tests/unit tests/test_*.py

test-slow: install ## what `make test` has in part already: whole tables and sweeps, the demo, drivers killed twice
	$(PYTEST) $(TWO) --hypothesis-profile thorough -m "slow or sweep or hypothesis" tests

test-lowest: install ## the unit tests on the lowest versions that pyproject.toml allows
	test -x $(LOWEST)/bin/python || $(PYTHON) -m venv $(LOWEST)
	$(LOWEST)/bin/python -m pip install -q --disable-pip-version-check $(TORCH)
	echo '$(firstword $(TORCH))' | $(UV) $(RESOLVE) --extra dev --resolution lowest-direct -o $(LOWEST)/requirements.txt
	$(UV) pip install -q --python $(LOWEST)/bin/python -r $(LOWEST)/requirements.txt
	$(UV) pip install -q --python $(LOWEST)/bin/python --no-deps --no-build-isolation -e .
	$(LOWEST)/bin/python -m pytest -m "not integration and not e2e and not chaos" tests/unit

lint: install ## ruff and mypy, strict
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy

format: install ## the formatting and the safe fixes, written by ruff
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

bench: install ## the measurements of benchmarks/, one after the other
	set -e; for name in $(BENCHMARKS); do echo "== $$name"; $(BIN)/python -m benchmarks.$$name; done

chaos: install ## faults injected into a running service
	$(PYTEST) -m chaos -s

# OPEN counts those that are exported with an open batch as well, ONNX those that run in ONNX Runtime.
# A long sweep may be run in parts, each from its FIRST network.
COUNT ?= 10000
FIRST ?= 0
JOBS ?= 2
SPACE ?= everything
SHAPE ?= 3x32x32
OPEN ?= 1000
ONNX ?= 200
SEED ?= 0
sweep: install ## COUNT=10000 random networks built, analysed, trained a step and exported; JOBS=2 processes
	$(BIN)/python -m tests.sweep.run --first $(FIRST) --count $(COUNT) --jobs $(JOBS) --space $(SPACE) --shape $(SHAPE) \
	  --open $(OPEN) --onnx $(ONNX) --seed $(SEED)

load: install ## many readers and writers against one running API
	$(BIN)/python -m benchmarks.load

compose-test: install ## docker-compose.yml for real: build, up, a job over HTTP, its bundle, down
	$(BIN)/python tests/compose/run.py

bundle-test: install ## a bundle of every preset, or BUNDLE=path, opened where torch is the only package
	$(BIN)/python -m tests.bundle.run $(BUNDLE)

lock: ## both lock files anew, from pyproject.toml: of everything, and of what runs in a container
	test -x $(UV) || $(MAKE) install
	echo '$(firstword $(TORCH))' | $(UV) $(RESOLVE) $(HASHED) --upgrade --extra dev -o requirements.lock
	echo '$(firstword $(TORCH))' | $(UV) $(RESOLVE) $(HASHED) --upgrade -c requirements.lock -o requirements-runtime.lock

openapi: install ## the OpenAPI document's snapshot anew
	$(BIN)/python -m api.openapi > tests/unit/api/openapi.json

docs: install ## the documentation as a site in build/docs; any warning is an error
	$(UV) pip install -q --python $(BIN)/python -r pyproject.toml --extra docs
	$(BIN)/python -m sphinx --fail-on-warning --keep-going -q -b html docs build/docs

release: install ## sdist, wheel and SHA256SUMS in dist/, from a clean tree, checked; no tag, no push, no upload, no tests
	.ci/release

clean: ## caches and builds; the environment and all state folders stay
	rm -rf build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis
	find . -name __pycache__ -not -path './$(VENV)/*' -prune -exec rm -rf {} +
