"""`zelador`: the commands put together, and the one place where an error becomes a line and an exit code.

Exit codes: 0 done; 1 a fault of ours (a traceback follows), or something that a check (doctor, models verify) found;
2 something outside has to be mended, the line says what.
"""

from __future__ import annotations

import sys

import redis
import typer

from zelador.cli import classify, demo, doctor, health, keys, models, quarantine, services, simulate, train, up, watch
from zelador.errors import ZeladorError

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
app.add_typer(models.app, name="models", help="The registry's models: compare, select, keep.")
app.add_typer(quarantine.app, name="quarantine", help="What was refused or set aside: list, show, replay, discard.")
app.add_typer(keys.app, name="keys", help="Keys of the admin API.")


def main() -> None:
    """Runs the command; every error that a person can mend is one line on standard error and exit code 2."""
    try:
        app()
    except ZeladorError as error:
        fail(str(error))
    except OSError as error:
        where = f": {error.filename}" if error.filename else ""
        fail(f"{error.strerror or error}{where}")
    except redis.RedisError as error:
        fail(f"Redis does not answer as it should: {error}; check ZELADOR_REDIS__URL")
    except KeyboardInterrupt:
        sys.exit(130)


def fail(message: str) -> None:
    one_line = " ".join(message.split())
    print(f"zelador: {one_line}", file=sys.stderr)
    sys.exit(2)
