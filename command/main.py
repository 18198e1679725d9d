"""The `zelador` command: registers the subcommands, and reports an error as one line and an exit code.

Exit codes: 0 success; 1 a bug in Zelador (with a traceback), or a problem found by a check (doctor, health, models
verify, archive verify, quarantine replay); 2 a problem that the user can fix, explained in one line; 130 Ctrl-C.
"""

from __future__ import annotations

import sys
import traceback
from importlib.metadata import version
from typing import Annotated

import redis
import typer

from command import (
    archive,
    classify,
    console,
    data,
    device_passwords,
    devices,
    evaluate,
    health,
    keys,
    labels,
    models,
    quarantine,
    services,
    simulate,
    train,
    watch,
)
from command.demo import command as demo
from command.doctor import command as doctor
from command.terminal import LINES, say
from command.up import command as up
from zelador.errors import ZeladorError
from zelador.printable import clean

app = typer.Typer(
    name="zelador",
    help="IoT streaming inference: MQTT readings in, classified predictions out, nothing lost.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=True,
)
app.command("demo")(demo.demo)
app.command("up")(up.up)
app.command("ingest")(services.ingest)
app.command("infer")(services.infer)
app.command("trainer")(services.trainer)
app.command("api")(services.api)
app.command("health")(health.health)
app.command("train")(train.train)
app.command("simulate")(simulate.simulate)
app.command("watch")(watch.watch)
app.command("doctor")(doctor.doctor)
app.command("classify")(classify.classify)
app.command("evaluate")(evaluate.evaluate)
app.command("console")(console.console)
app.add_typer(models.app, name="models", help="List, compare, select and manage the models in the registry.")
app.add_typer(quarantine.app, name="quarantine", help="List, show, replay and discard messages in quarantine.")
device_passwords.add_to(devices.app)
app.add_typer(
    devices.app, name="devices", help="List devices by state; acknowledge, shelve and retire them; their passwords."
)
app.add_typer(
    labels.app, name="labels", help="Label periods of devices afterwards: list, add, undo, import work orders."
)
app.add_typer(archive.app, name="archive", help="Run the archiver; with a subcommand, list or check its files.")
app.add_typer(data.app, name="data", help="Describe readings before training on them, and export them.")
app.add_typer(keys.app, name="keys", help="Manage the keys of the admin API.")


def _version(asked: bool) -> None:
    if asked:
        say(f"zelador {version('zelador')}")
        raise typer.Exit()


@app.callback()
def root(
    _version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """IoT streaming inference: MQTT readings in, classified predictions out, nothing lost."""


def main() -> None:
    """Runs the command. An error that the user can fix becomes one line on standard error and exit code 2."""
    try:
        code = app(standalone_mode=False)
        sys.exit(code if isinstance(code, int) else 0)
    except ZeladorError as error:
        fail(str(error))
    except OSError as error:
        where = f": {error.filename}" if error.filename else ""
        fail(f"{error.strerror or error}{where}")
    except redis.RedisError as error:
        fail(f"unexpected answer from Redis: {error}; check ZELADOR_REDIS__URL")
    except (KeyboardInterrupt, typer.Abort):
        sys.exit(130)
    except Exception as error:  # noqa: BLE001 - the last handler
        if hasattr(error, "format_message"):  # click's error for a wrong option or argument
            fail(f"{error.format_message()} (see {_command(error)} --help)")
        sys.stderr.write(clean(traceback.format_exc(), LINES))
        sys.exit(1)


def fail(message: str) -> None:
    one_line = " ".join(message.split())
    say(f"zelador: {one_line}", error=True)
    sys.exit(2)


def _command(error: Exception) -> str:
    context = getattr(error, "ctx", None)
    return str(getattr(context, "command_path", "zelador"))
