# Every target sets up what it needs by itself; a second call starts at once.
# `make help` lists them.

SHELL := /bin/bash
PYTEST_ARGS ?=
PYTEST_WORKERS ?= 2
TASK ?= weighing
DEMO_MODEL_ARGS ?=
IN_ENV := . ./env.sh &&

.DEFAULT_GOAL := help
.PHONY: help setup browser demo demo-model test test-all lint lock clean

help:  ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-10s %s\n", $$1, $$2}' Makefile

setup:  ## install ROS 1, the virtual environment .venv and the locked packages
	@tools/setup.sh

demo: setup  ## the simulated robot doing a task (TASK=weighing), video in outputs/demo
	@$(IN_ENV) kuavo sim demo --task $(TASK) --out outputs/demo

demo-model: setup  ## make a model that does the four tasks; takes hours, goes on where it stopped
	@$(IN_ENV) kuavo train demo-model $(DEMO_MODEL_ARGS)

lint: setup  ## style, types and shell scripts
	@tools/lint.sh

browser: setup
	@tools/setup_tests.sh

test: setup browser lint  ## lint and the fast tests
	@PYTEST_WORKERS=$(PYTEST_WORKERS) tools/test.sh "not slow" $(PYTEST_ARGS)

test-all: setup browser lint  ## the same with the slow tests
	@PYTEST_WORKERS=$(PYTEST_WORKERS) tools/test.sh "slow or not slow" $(PYTEST_ARGS)

bench: setup  ## how fast it is on this machine (BENCH=one of benchmarks/), table in docs/performance.md
	@$(IN_ENV) python -m benchmarks $(BENCH)

bench-gpu:  ## the same on a machine with a GPU and its own python3, torch and lerobot; no ROS
	@python3 -m benchmarks --needs gpu $(BENCH)

lock: setup  ## requirements.in -> requirements_total.txt
	@tools/lock.sh

clean:  ## remove the virtual environment and the tools (not your outputs)
	rm -rf .venv .tools
