# make demo   builds .venv, then trains, converts, verifies, runs in Lava and writes the report
# make test   builds .venv, then runs the linters, the type checker and the tests
# make docs   builds .venv, then the documentation site in docs/_build/html; executes its notebooks
# All need python3 >= 3.11 with venv and pip, and nothing else.

BIN := .venv/bin
PIP := $(BIN)/python -m pip install -qq
PYTHON = $(shell for python in python3.11 python3 python3.12 python3.13; do \
	$$python -c 'import ensurepip, sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null \
	&& echo $$python && break; done)
NO_PYTHON := pumice needs python3 >= 3.11 with venv and pip; set it: make PYTHON=/path/to/python3

.PHONY: install demo test docs peers event-peers lowest newest campaign clean

demo: install
	$(BIN)/pumice demo

test: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/mypy tests
	$(BIN)/pytest --numprocesses auto --dist loadfile

# Strict: a warning, a broken link or a failing notebook is an error. Notebooks run in two processes.
docs: install
	PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/python -m sphinx -W -n -T -j 2 -b html docs docs/_build/html

install: .venv/installed .venv/core

# The C core is built by the installation, and again when its sources change.
.venv/core: setup.py $(wildcard runtime/core/*.[ch]) | .venv/installed
	$(BIN)/python setup.py -q build_ext --inplace
	touch $@

# The stamp is written last, so that an interrupted installation is repeated. On Linux, PyPI's torch includes CUDA
# (several GB); a CPU wheel of the same version is preferred if pip finds one (PIP_FIND_LINKS or PIP_EXTRA_INDEX_URL).
# Lava and SLAYER declare Python 3.10 only and numpy < 2 but run on these versions, hence the last command.
.venv/installed: pyproject.toml constraints.txt Makefile
	@test -n "$(PYTHON)" || { echo "$(NO_PYTHON)" >&2; exit 1; }
	@echo "Installing pumice into .venv (2 GB; the first installation takes some minutes)"
	rm -f $@
	$(PYTHON) -m venv .venv
	$(PIP) -c constraints.txt pip setuptools
	$(PIP) -c constraints.txt --no-build-isolation -e '.[convert,lava,onnx,plot,report,shards,streams,train]' --group dev --group docs
	$(PIP) --no-deps --ignore-requires-python lava-nc==0.10.0 lava-dl==0.6.0
	$(PIP) --no-deps spikingjelly==2.0.0
	touch $@
	touch .venv/core

# The libraries that bench/ compares with. BindsNET is excluded, since it requires another torch. SpikingJelly's model
# zoo cannot be imported with a CPU torch (torchvision's wheel is a CUDA one); its neurons, layers and losses can.
peers: .venv-peers/installed

.venv-peers/installed: pyproject.toml constraints.txt Makefile
	@test -n "$(PYTHON)" || { echo "$(NO_PYTHON)" >&2; exit 1; }
	rm -f $@
	$(PYTHON) -m venv .venv-peers
	.venv-peers/bin/python -m pip install -qq -c constraints.txt pip setuptools
	.venv-peers/bin/python -m pip install -qq -c constraints.txt --no-build-isolation -e '.[convert,lava,onnx,plot,report,train]' \
		spikingjelly==2.0.0 snntorch==1.0.0 neurobench==2.3.0 pytest hypothesis
	.venv-peers/bin/python -m pip install -qq --no-deps --ignore-requires-python lava-nc==0.10.0 lava-dl==0.6.0
	touch $@

# Other decoders of event recordings, for tests/runtime/stream/formats/test_peers.py; pumice is not installed with them.
event-peers: .venv-event-peers/installed

.venv-event-peers/installed: Makefile
	@test -n "$(PYTHON)" || { echo "$(NO_PYTHON)" >&2; exit 1; }
	rm -f $@
	$(PYTHON) -m venv .venv-event-peers
	.venv-event-peers/bin/python -m pip install -qq aedat==2.3.0 dv-processing==2.0.4 event-stream==1.6.3 evlib==0.13.2 \
		evt3==0.4.1 'evutils[aedat]==0.3.18' expelliarmus==1.1.12 faery==0.7.1 tonic==1.7.0
	touch $@

# The tests with the lowest versions that pyproject.toml permits, and with the newest there are.
lowest newest:
	@test -n "$(PYTHON)" || { echo "$(NO_PYTHON)" >&2; exit 1; }
	$(PYTHON) tests/versions.py $@

# Damaged inputs, kills, full disks and signals; about an hour.
campaign: install
	PYTHONPATH=.:tests/common $(BIN)/python tests/campaign/campaign.py nightly

clean:
	rm -rf .venv .venv-peers .venv-event-peers .venv-lowest .venv-newest build dist docs/_build docs/reference/generated *.egg-info \
		.hypothesis .mypy_cache .pytest_cache .ruff_cache
