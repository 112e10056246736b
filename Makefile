# Every command works alone on a fresh clone; it needs git, a package index and a Python >= 3.12, which it finds by itself.
SHELL := /bin/bash
.DEFAULT_GOAL := help
ifndef PYTHON
PYTHON = $(eval PYTHON := $(shell bash tools/find_python.sh))$(PYTHON)# looked for once, and only where it is needed
endif
CHECKS = $(PYTHON) tools/checks.py
ENVIRONMENTS = $(PYTHON) tools/environments.py

help:  ## show this list
	@grep -E '^[a-z]+:.*## ' $(firstword $(MAKEFILE_LIST)) | sed -E 's/^([a-z]+):[^#]*## (.*)/make \1\t\2/' | expand -t 20

demo: python  ## roll a new image through a simulated scale set, live
	@$(ENVIRONMENTS) newest
	@bash tools/demo.sh

test: python  ## everything CI checks
	@$(CHECKS)

check: python  ## while you work: the unit tests and the quick linters, in less than 5 minutes
	@$(CHECKS) units-newest ruff types yamllint changelog

lint: python  ## ansible-test sanity, ansible-lint, antsibull-docs, changelog, yamllint, ruff
	@$(CHECKS) lint

units: python  ## unit tests, with the oldest and the newest supported releases
	@$(CHECKS) units

integration: python  ## modules, roles and playbooks against the simulator, with the oldest and the newest supported releases
	@$(CHECKS) integration

contract: python  ## the simulator against recorded Azure traffic and the real az client
	@$(CHECKS) contract

package: python  ## build, install, import; roll with the installed copy
	@$(CHECKS) package

chaos: python  ## 200 rollouts under random faults, 50 killed ones, 12 rerun ones (long; CHAOS_SEEDS, CHAOS_KILLS, CHAOS_RERUNS, CHAOS_WORKERS)
	@$(ENVIRONMENTS) newest
	@.venv/bin/python -m pytest tests/chaos -n $${CHAOS_WORKERS:-3} -rA

long: python  ## all that takes too long for `make test`: every state of a set of five, all examples, the long integration tests
	@$(ENVIRONMENTS) newest
	@THOROUGH=1 FUZZ_EXAMPLES=$${FUZZ_EXAMPLES:-1000} .venv/bin/python -m pytest tests/unit -n 2 -rA
	@THOROUGH=1 STATEFUL_SEED=random STATEFUL_EXAMPLES=$${STATEFUL_EXAMPLES:-300} .venv/bin/python -m pytest tests/unit/use_cases/test_other_clients.py -rA
	@THOROUGH=1 .venv/bin/python -m pytest tests/integration -m long -n 2 -rA

bench: python  ## measure what a large rollout takes (about 10 minutes)
	@$(ENVIRONMENTS) newest
	@.venv/bin/python -m pytest tests/benchmark -s

docs: python  ## HTML documentation of the modules and roles
	@$(ENVIRONMENTS) docs
	@bash tools/docs.sh

clean:  ## remove all that the other commands made
	rm -rf .venv .cache .ansible tests/output .hypothesis .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

python:
	@test -n "$(PYTHON)"

.PHONY: help demo test check lint units integration contract package chaos long bench docs clean python
