# Two commands do everything: `make demo` shows it, `make test` proves it.

PYTHON ?= python3
BIN := .venv/bin

.PHONY: demo test slow browser fuzz check parity peers clean

demo: .venv/installed
	$(BIN)/pictaxa demo

# A process for each core; with more cores than memory for them: make test WORKERS=4.
WORKERS ?= auto
test: check
	$(BIN)/pytest --numprocesses $(WORKERS)

# What takes too long for every run of the tests.
slow: .venv/installed
	$(BIN)/pytest -m slow --numprocesses $(WORKERS)

# The pages in Chromium, with axe-core; SHOTS=FOLDER keeps screenshots. The browser and npm are the system's: what is not
# there is installed where apt-get is and may.
SHOTS ?=
browser: .venv/installed tests/browser/node_modules/axe-core
	command -v chromium >/dev/null || $(APT) chromium || { echo "Install Chromium (Debian: apt-get install chromium)."; exit 1; }
	PICTAXA_SHOTS="$(SHOTS)" $(BIN)/pytest -m browser tests/browser

APT := sh -c 'test "$$(id -u)" = 0 && apt-get update -qq && apt-get install --yes --no-install-recommends -qq "$$0"'
tests/browser/node_modules/axe-core: tests/browser/package-lock.json
	command -v npm >/dev/null || $(APT) npm || { echo "Install npm (Debian: apt-get install npm)."; exit 1; }
	cd tests/browser && npm ci --ignore-scripts --no-audit --no-fund --silent
	touch $@

# Damaged files of every format and layout, this many in all. None may crash, hang, take much memory or be half read.
FUZZ ?= 10000
fuzz: .venv/installed
	$(BIN)/python tests/fuzz/fuzz.py --count $(FUZZ)

check: .venv/installed
	$(BIN)/ruff check src tests benchmarks parity
	$(BIN)/ruff format --check src tests benchmarks parity
	$(BIN)/mypy

# Every entry of the zoo against the library it comes from, in an environment of its own (several GB). An hour; the proof
# alone, without timing, is `make parity PARITY=--no-speed` and takes a quarter of it.
parity: .venv-parity/installed
	.venv-parity/bin/python -m pytest tests/models/test_timm_models.py tests/weights/test_loading.py
	.venv-parity/bin/python parity/compare.py $(PARITY)

.venv-parity/installed: parity/requirements.txt pyproject.toml
	$(PYTHON) -m venv .venv-parity
	.venv-parity/bin/python -m pip install --quiet --disable-pip-version-check --requirement parity/requirements.txt
	.venv-parity/bin/python -m pip install --quiet --disable-pip-version-check --editable .
	touch $@

# The environment of benchmarks/side_by_side.py: those that pictaxa is measured beside (8 GB).
peers: .venv-peers/installed

.venv-peers/installed: benchmarks/peers/requirements.txt pyproject.toml
	$(PYTHON) -m venv .venv-peers
	.venv-peers/bin/python -m pip install --quiet --disable-pip-version-check --requirement benchmarks/peers/requirements.txt
	.venv-peers/bin/python -m pip install --quiet --disable-pip-version-check --editable .
	touch $@

# The pinned packages and the package itself; again only when one of the two files changes.
.venv/installed: requirements.lock pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit("pictaxa needs Python 3.11 or newer; name one with: make PYTHON=python3.12") if sys.version_info < (3, 11) else None'
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --requirement requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	touch $@

clean:
	rm -rf .venv .venv-parity .venv-peers tests/browser/node_modules .mypy_cache .ruff_cache .pytest_cache runs/demo
