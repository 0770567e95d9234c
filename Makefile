# On a fresh Debian with Python 3.11 or later and make: `make demo` shows the whole story once,
# `make test` runs the tests. Either makes .venv and installs into it first, when that is missing.
# With a C compiler the package's kernels are built as well; without one it works, and is slower.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
CONSTRAINTS := packaging/constraints.txt packaging/constraints-cuda.txt
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check \
	$(addprefix --constraint ,$(CONSTRAINTS))
# Ahead, as an ordinary installation does: where Python may write no bytecode, every process would
# compile our modules anew, which is a third of what starting the engine or a command costs.
COMPILE := $(BIN)/python -m compileall -q -j 0

.PHONY: setup demo test torture night-7b soak lint check deb boot-test clean

setup: $(READY)

# The stamp is made last, so that an interrupted installation is taken up again. setuptools comes
# first, pinned like all the rest, and builds the package without an environment of its own.
$(READY): pyproject.toml $(CONSTRAINTS) trainer/nf4.c
	@command -v $(PYTHON) >/dev/null || \
		{ echo "There is no $(PYTHON); install it with: apt-get install python3 python3-venv" >&2; exit 1; }
	@$(PYTHON) packaging/preflight.py
	@echo "Installing into $(VENV): a download of some hundred megabytes (with CUDA, gigabytes)."
	$(PYTHON) -m venv $(VENV)
	$(PIP) setuptools
	$(PIP) --no-build-isolation --editable '.[dev]'
	@$(COMPILE) daemon storage trainer ipc
	@touch $@

demo: $(READY)
	$(BIN)/nightloom demo

# One worker more than there are cores: each waits for processes of its own half of the time.
test: $(READY)
	@$(COMPILE) daemon storage trainer ipc tests
	$(BIN)/python -m pytest --numprocesses=$$(($$(getconf _NPROCESSORS_ONLN) + 1)) --maxprocesses=4

# A process that works in a vault is killed a thousand times at random moments; a line `make torture
# KILLS=... SEED=...` that it prints repeats a run as far as the machine's pace lets it. After that
# damaged files of every kind are read for a minute, and nights on the built-in base are held, stopped
# and taken up again two hundred times.
KILLS ?= 1000
FUZZ_SECONDS ?= 60
INTERRUPTIONS ?= 200
torture: $(READY)
	$(BIN)/python -m tests.crash.vault_torture --kills $(KILLS) $(if $(SEED),--seed $(SEED))
	$(BIN)/python -m tests.crash.extraction_torture --seconds $(FUZZ_SECONDS) $(if $(SEED),--seed $(SEED))
	$(BIN)/python -m tests.crash.yield_torture --interruptions $(INTERRUPTIONS) $(if $(SEED),--seed $(SEED))

# A real service on the built-in base: ten thousand short requests in a row, then half an hour of
# clients of every kind, who hang up, read slowly and ask nonsense. Nothing may fail, and neither
# process may grow by 5 %. `make soak REQUESTS=200 MINUTES=1` is a look at it.
REQUESTS ?= 10000
MINUTES ?= 30
SOAK_LOG ?= build/soak.csv
soak: $(READY)
	$(BIN)/python -m tests.soak.soak --requests $(REQUESTS) --minutes $(MINUTES) --log $(SOAK_LOG) \
		$(if $(SEED),--seed $(SEED))

# A whole night on random weights of a 7B's geometry, held twice and killed twice: a quarter of an hour
# of two cores, 6 GB of memory, 5 GB of disk. `make night-7b LAYERS=2` tries it.
night-7b: $(READY)
	nice -n 5 $(BIN)/python -m tests.crash.night_7b $(if $(LAYERS),--layers $(LAYERS))

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# The same as .ci/run, which also installs what the system lacks.
check: lint test

# A Debian package with an environment of its own, for the Python of this system: some minutes.
deb: $(READY)
	$(BIN)/python packaging/deb/make_deb.py

# Boots a Debian in a container, installs the package there and runs a night: root, and a mirror.
boot-test: $(READY)
	packaging/deb/boot-test $(PACKAGE)

clean:
	rm -rf $(VENV) build *.egg-info trainer/_nf4.*
