#!/bin/sh
# Builds .venv from the locked requirements. Called by make; needs Python 3.11, a package index, about 2 GB of disk.
set -eu
python=${PYTHON:-python3.11}

fail() { echo "zelador: $1" >&2; exit 2; }

command -v "$python" >/dev/null 2>&1 || fail "no Python found; install Python 3.11, or name one: make setup PYTHON=/path/to/python3.11"
version=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])') || fail "$python does not run; name another: make setup PYTHON=/path/to/python3.11"
[ "$version" = 3.11 ] || fail "$python is Python $version, but PyCaret needs 3.11; name one: make setup PYTHON=/path/to/python3.11"
"$python" -c 'import venv, ensurepip' 2>/dev/null || fail "$python has no venv module; install it (Debian, Ubuntu: apt install python3.11-venv) and run make again"
case $(uname -s) in Linux|Darwin) ;; *) fail "only Linux and macOS are supported (on Windows, use WSL 2)" ;; esac

echo "zelador: setting up .venv (once; about 2 GB and two minutes)" >&2
rm -f .venv/.ready
[ -x .venv/bin/python ] && [ "$(.venv/bin/python -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null)" = 3.11 ] || "$python" -m venv --clear .venv
.venv/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/uv.txt
# uv neither asks for an index by name nor records one: it takes the user's own settings.
VIRTUAL_ENV="$PWD/.venv" .venv/bin/uv pip sync --quiet --require-hashes requirements/dev.txt requirements/build.txt requirements/uv.txt
VIRTUAL_ENV="$PWD/.venv" .venv/bin/uv pip install --quiet --offline --no-deps --no-build-isolation -e .
# Compiles what services and tests load, now and not at each start; the rest of the 2 GB is never read.
unset PYTHONDONTWRITEBYTECODE
.venv/bin/python -m zelador.libgomp -m pytest --collect-only -q -p no:cacheprovider >/dev/null &
.venv/bin/python -m zelador.libgomp -c 'import trainer.run.work' >/dev/null
.venv/bin/python -c 'import ingest.service, inference.service, admin.service, command.demo.command, command.up.command'
wait
touch .venv/.ready
