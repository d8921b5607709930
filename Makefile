# Everything here sets up what it needs first: the ROS 2 that is sourced, or else one from wheels.
#   make demo DISTRO=kilted          the other ROS 2 from wheels
#   make test PYTHON=python3.12      a Python other than the first that will do
#   make test PYTEST_OPTIONS="-k x"  some of the tests

DEMO ?= python -m dimos_ros.demo.multi_robot
BENCH ?= python -m bench

export DISTRO PYTHON PYTEST_OPTIONS
environment := tools/environment

.PHONY: help demo test fast lint format docs bench shell env setup clean

help:
	@echo 'make demo | test | fast | lint | format | docs | bench | shell | env | setup | clean'
	@echo '     [DISTRO=jazzy|kilted] [PYTHON=...]'

demo:  ## Two robots map a corridor.
	@$(environment) run $(DEMO)

test:  ## Linters, types and tests.
	@$(environment) run tools/checks

fast:  ## The tests that take less than half a minute together.
	@$(environment) run tools/checks fast

lint:
	@$(environment) run tools/checks lint

format:
	@$(environment) run sh -c 'ruff check --fix --quiet . ; ruff format .'

docs:  ## The API reference: .build/docs/dimos_ros.html
	@$(environment) run python tools/api_reference.py .build/docs

bench:
	@$(environment) run $(BENCH)

shell:  ## A shell in which everything works.
	@$(environment) shell

env:  ## For the shell that is there: eval "$$(make -s env)"
	@$(environment) env

setup:
	@$(environment) setup

clean:  ## Remove the virtual environments and everything built.
	@$(environment) clean
