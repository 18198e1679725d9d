# The two commands of a newcomer are `make demo` and `make test`; both set up what they need first.
# PYTHON names the interpreter to build .venv with; ARGS are passed on to the command.
PYTHON ?= $(shell command -v python3.11 || command -v python3 || echo python3)
ARGS ?=
BIN := .venv/bin
# Hundreds of processes start in a run of the tests. Each would compile all that it imports again: 0.7 s for the command.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help setup servers demo up bench evaluate malformed soak fuzz test test-quick test-attacks test-faults test-compose test-console test-html test-registry check format lock clean

help:  ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F':.*## ' '{printf "make %-13s %s\n", $$1, $$2}'

setup: .venv/.ready  ## create .venv with the locked packages (once: about 2 GB, two minutes)

.venv/.ready: pyproject.toml requirements/dev.txt requirements/build.txt requirements/uv.txt
	@PYTHON="$(PYTHON)" sh requirements/setup.sh

servers:  ## install Mosquitto and Redis, which `up` and the tests prefer to the wheels' own, and Chromium (Debian, brew)
	@sh requirements/servers.sh

demo: setup  ## run the whole product as a demo (ARGS="--scenario rooms --seconds 25 --json")
	@$(BIN)/zelador demo $(ARGS)

up: setup  ## run the product with its data in .zelador (ARGS="--home DIR")
	@$(BIN)/zelador up $(ARGS)

bench: setup  ## measure its speed end to end, beside a relay in C (ARGS="--quick --json"); needs `make servers`
	@$(BIN)/python -m zelador.libgomp -m benchmarks.end_to_end $(ARGS)

evaluate: setup  ## what the evaluation promises, and what later days say: docs/evaluation.md (ARGS="--quick --only rooms")
	@$(BIN)/python -m zelador.libgomp -m benchmarks.evaluation $(ARGS)

malformed: setup  ## publish a million malformed payloads and account for each (ARGS="--payloads 100000 --json")
	@$(BIN)/python -m tests.malformed.run $(ARGS)

soak: setup  ## kill processes at random under load; nothing may be lost (ARGS="--seconds 120 --kills 8 --seed 7 --json")
	@$(BIN)/python -m zelador.libgomp -m tests.faults.soak $(ARGS)

# Three processes, each with servers of its own: a third of the time a test waits for one of them.
test: setup  ## test against real servers (under eight minutes on 2 cores; the long suites are the test-… below)
	@$(BIN)/python -m zelador.libgomp -m pytest -n 3 --dist loadfile --no-loadscope-reorder $(ARGS)

test-quick: setup  ## run the tests that need no server and no training (under a minute)
	@$(BIN)/python -m zelador.libgomp -m pytest tests/unit -n 2 --dist loadfile --no-loadscope-reorder $(ARGS)

test-attacks: setup  ## run all attacks by hostile devices, files, key holders and strangers (a few minutes)
	@TEST_ATTACKS=1 $(BIN)/python -m zelador.libgomp -m pytest tests/attacks $(ARGS)

fuzz: setup  ## fuzz with a million mutated messages, 400,000 archives, and pickles by opcode (ARGS="--seconds 60 --seed 7")
	@$(BIN)/python -m zelador.libgomp -m tests.fuzz.run $(ARGS)

test-faults: setup  ## kill, freeze and cut off each part in turn (about four minutes); needs `make servers`
	@TEST_FAULTS=1 $(BIN)/python -m zelador.libgomp -m pytest tests/faults $(ARGS)

test-compose: setup  ## build and run every image of docker-compose.yml (minutes; needs Docker and about 6 GB)
	@TEST_COMPOSE=1 $(BIN)/python -m zelador.libgomp -m pytest tests/end_to_end/test_compose.py $(ARGS)

test-console: setup  ## the console in Debian's Chromium, every page and state in more sizes (a minute or two); needs `make servers`
	@TEST_CONSOLE=1 $(BIN)/python -m zelador.libgomp -m pytest tests/console $(ARGS)

VNU := $(abspath .venv)/vnu/node_modules/vnu-jar/build/dist/vnu.jar
$(VNU):
	@command -v java >/dev/null && command -v npm >/dev/null || { echo "make test-html needs java and npm (apt-get install default-jre-headless npm)"; exit 1; }
	@npm install --silent --no-save --no-package-lock --prefix .venv/vnu vnu-jar@26.9.27

test-html: setup $(VNU)  ## check that every page of the console is valid HTML, in both languages (half a minute); needs Java and npm
	@VNU_JAR=$(VNU) $(BIN)/python -m zelador.libgomp -m pytest tests/console/test_valid.py $(ARGS)

test-registry: setup  ## test the registry's writers and bucket at eight times the size (some minutes)
	@TEST_REGISTRY_TIMES=8 $(BIN)/python -m zelador.libgomp -m pytest -s tests/integration/registry/test_writers.py $(ARGS)

check: setup  ## lint, check types and imports
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

format: setup  ## format the code
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

PIN := $(BIN)/uv pip compile -q --no-header --universal --generate-hashes --python-version 3.11

lock: setup  ## resolve the dependencies again (hashes only, no download addresses)
	@$(PIN) --extra dev pyproject.toml -o requirements/dev.txt
	@for service in ingest inference archive api trainer; do \
		$(PIN) --extra $$service -c requirements/dev.txt pyproject.toml -o requirements/$$service.txt || exit; done
	@$(PIN) requirements/build.in -o requirements/build.txt
	@$(PIN) requirements/uv.in -o requirements/uv.txt

clean:  ## remove .venv and caches (never .zelador)
	rm -rf .venv .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
