.DEFAULT_GOAL := help
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: help
help: ## show what can be made
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: setup
setup: $(VENV)/.ready ## make .venv and install spotter with its development tools

$(VENV)/.ready: pyproject.toml .ci/constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "spotter needs Python 3.11 or newer: make PYTHON=python3.11" >&2; exit 1; }
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --constraint .ci/constraints.txt --editable ".[dev,optuna]"
	@touch $@

.PHONY: demo
demo: setup ## simulate matches, train the transformer on them, evaluate, write predictions
	@OMP_NUM_THREADS=$${OMP_NUM_THREADS:-1} $(BIN)/spotter train
	@echo
	@echo "That was: $(BIN)/spotter train"
	@echo "Everything is in the run folder named above: report the scores in metrics.json, submit"
	@echo "predictions/test/results_spotting.zip, go on with checkpoints/best.ckpt. What to try next:"
	@echo "  $(BIN)/spotter train model=linear                       a model without context, for comparison"
	@echo "  $(BIN)/spotter train --multirun seed=1,2,3              mean and deviation over seeds"
	@echo "  $(BIN)/spotter predict ckpt=RUN/checkpoints/best.ckpt input=FEATURES.npy   your own match"
	@echo "  $(BIN)/spotter train data=baidu data.root=/path/to/SoccerNet               the real thing"

.PHONY: test
test: setup ## run the tests; make test-slow runs the slow ones
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist loadfile -m "not slow"

.PHONY: test-slow
test-slow: setup ## run the slow tests: whole runs, the wheel
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist loadfile -m slow --ignore=tests/faults

.PHONY: lint
lint: setup ## check style and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

.PHONY: audit
audit: setup ## look for insecure code, and for known vulnerabilities of what is installed; needs the network
	$(BIN)/ruff check --select S --ignore S603,S607 spotter train.py predict.py  # commands are lists, run by no shell
	@$(BIN)/python -m pip list --format freeze --exclude-editable | sed 's/+.*//' > $(VENV)/installed.txt
	$(BIN)/python -m pip_audit --strict --no-deps --disable-pip --progress-spinner off -r $(VENV)/installed.txt || \
	{ echo "make audit: vulnerabilities were found, or the service that knows them could not be asked" >&2; exit 1; }

.PHONY: fuzz
fuzz: setup ## read 425,000 damaged files and configs, for an hour or two; FUZZ=0.01 make fuzz reads a hundredth
	FUZZ=$${FUZZ:-1} OMP_NUM_THREADS=1 $(BIN)/python -m pytest tests/fuzz

.PHONY: bench
bench: setup ## measure speed and memory against floors of the same run; writes the table of docs/benchmarks.md
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest tests/benchmarks --override-ini addopts=--import-mode=importlib -q -s \
	--table docs/benchmarks.md

.PHONY: faults
faults: setup ## kill training, validation, prediction, preparation and sweeps at twenty instants each
	FAULTS=20 OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist load tests/faults --durations=10

.PHONY: gpu
gpu: ## test and measure on a GPU; needs no .venv, only torch, timm, pytorch-lightning and pytest
	PYTHONPATH=. PYTHONUNBUFFERED=1 $(PYTHON) -m pytest tests/gpu --durations=10

.PHONY: docs
docs: setup ## build the pages of docs/ as a site in build/site; links that lead nowhere are errors
	@$(BIN)/python -m pip install --quiet --constraint .ci/constraints.txt --editable ".[docs]"
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet --strict --config-file .mkdocs.yml

.PHONY: screenshots
screenshots: setup ## make the README's pictures of the report again (needs Chromium)
	@folder=$$(mktemp -d) && $(BIN)/python -m tests.screenshots $$folder && \
	cp $$folder/report-timeline-laptop-light.png $$folder/report-errors-laptop-dark.png docs/screenshots/

.PHONY: clean
clean: ## remove .venv and caches; runs and data stay
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis build *.egg-info
