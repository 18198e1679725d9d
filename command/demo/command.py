"""`zelador demo`: runs the whole product on this machine, in a minute."""

from __future__ import annotations

import logging
import os
import shutil
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.live import Live

from command.process import stop_event
from command.terminal import Terminal, print_json, say
from command.up.ports import PORT_HELP
from zelador.errors import InvalidInput, ZeladorError
from zelador.logs import set_up_logs
from zelador.settings import Settings, load_settings

if TYPE_CHECKING:  # loaded only when the demo runs: other commands start faster
    from command.demo.scenarios.scenario import Scenario
    from command.demo.story import Story
    from command.demo.view import View
    from command.up.up import Up

log = logging.getLogger(__name__)

UNATTENDED_S = 20.0  # of live readings, if there is no terminal at which someone could stop them
A_CENTURY_S = 100 * 365 * 86_400


def demo(
    scenario: Annotated[
        str, typer.Option(help="The readings to replay: machines (simulated) or rooms (real).")
    ] = "machines",
    csv: Annotated[Path | None, typer.Option(help="A CSV file of labeled readings, instead of a scenario.")] = None,
    label: Annotated[str | None, typer.Option(help="With --csv: the column of the label.")] = None,
    features: Annotated[str | None, typer.Option(help="With --csv: the feature columns, separated by commas.")] = None,
    seconds: Annotated[
        float | None,
        typer.Option(
            min=0,
            help="Stop this many seconds after the first prediction. Default: at Ctrl-C; without a terminal, after "
            f"{UNATTENDED_S:g} s.",
        ),
    ] = None,
    rate: Annotated[float, typer.Option(min=0.1, max=5000, help="Live readings per second.")] = 100.0,
    home: Annotated[
        Path | None,
        typer.Option(help="The folder for the data. Default: a new one; without a terminal, it is removed at the end."),
    ] = None,
    mqtt_port: Annotated[int | None, typer.Option(min=1, max=65535, help=PORT_HELP.format("devices"))] = None,
    redis_port: Annotated[int | None, typer.Option(min=1, max=65535, help=PORT_HELP.format("Redis"))] = None,
    api_port: Annotated[int | None, typer.Option(min=1, max=65535, help=PORT_HELP.format("the API"))] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print plain lines, then one JSON summary.")] = False,
) -> None:
    """Replay labeled readings as devices: ingest, train, register five models, select the best, classify live."""
    started = time.monotonic()
    os.umask(0o077)  # readings, models and logs are private, as in `up`
    stop = stop_event()
    replayed = _scenario(scenario, csv, label, features)
    folder = home or Path(tempfile.mkdtemp(prefix="zelador-demo-"))
    settings = _settings(replayed)
    on_terminal = sys.stdout.isatty() and not as_json
    keeps = home is not None or on_terminal
    if seconds is None and not on_terminal:
        seconds = UNATTENDED_S
    folder.mkdir(parents=True, exist_ok=True)
    logs = (folder / "zelador.log").open("ab")  # the terminal shows the live view
    set_up_logs(settings.log, "demo", logs)
    from command.demo.client import Client
    from command.demo.story import Story
    from command.up.up import Up
    from operations.key_file import new_key

    running = Up(folder, settings, stop, {"mqtt": mqtt_port, "redis": redis_port, "api": api_port}, logs)
    _, key = new_key(running.home.keys, note="demo")
    try:
        say(f"starting broker, Redis and services in {folder} (log: {folder / 'zelador.log'})")
        running.start()
        devices = running.settings.model_copy(
            update={"mqtt": running.settings.mqtt.model_copy(update={"url": running.mqtt_url})}
        )
        show = _quiet if on_terminal else _say
        if on_terminal:
            say(f"console: {running.console_link()} (signs you in: once, for 60 s; zelador console --home {folder})")
        story = Story(replayed, devices, Client(running.api_url, key, stop), stop, started, seconds, rate, show)
        try:
            failure = _play(running, story, on_terminal, keeps)
        finally:
            story.close()
    finally:
        running.stop()
    if failure is not None:
        raise failure
    if not keeps:
        logs.close()
        shutil.rmtree(folder, ignore_errors=True)  # after a failure the folder stays, because its log says why
    if on_terminal:
        say(f"The data is in {folder}; to continue with it: zelador up --home {folder}")


def _play(running: Up, story: Story, on_terminal: bool, keeps: bool) -> BaseException | None:
    """Runs the story while the services run, and prints its summary. Returns the error that ended the story early."""
    from command.demo.story import summary
    from command.demo.view import View

    failure: list[BaseException] = []
    story_thread = threading.Thread(target=_run_story, args=(story, failure), name="story", daemon=True)
    story_thread.start()
    addresses = running.describe()
    if on_terminal:
        _watch_live(running, story, story_thread, View(story, addresses))
    else:
        running.run(story_thread.is_alive)
    story_thread.join(timeout=15.0)
    if failure:
        return failure[0]
    _wait_for_ledger(story)
    document = summary(story, addresses)
    _print_summary(document if keeps else {**document, "home": None}, on_terminal)
    return None


def _scenario(name: str, csv: Path | None, label: str | None, features: str | None) -> Scenario:
    from command.demo.scenarios.by_name import scenario
    from command.demo.scenarios.table import scenario_from

    if csv is None:
        return scenario(name)
    if not label or not features:
        raise InvalidInput("--csv needs --label COLUMN and --features a,b,c")
    return scenario_from(csv, [part.strip() for part in features.split(",") if part.strip()], label)


def _settings(scenario: Scenario) -> Settings:
    """Returns the user's settings with the scenario's features.

    Its readings may be years old. Its run comes as soon as the services have started, so the trainer prepares for it.
    """
    return load_settings(features=scenario.features, ingest={"max_behind_s": A_CENTURY_S}, training={"warm": True})


def _say(line: str) -> None:
    say(line)


def _quiet(_line: str) -> None:
    """Prints nothing, because the live view shows the line."""


def _run_story(story: Story, failure: list[BaseException]) -> None:
    try:
        story.run()
    except ZeladorError as error:
        failure.append(error)
    except BaseException as error:
        log.exception("the demo failed")
        failure.append(error)


def _watch_live(running: Up, story: Story, story_thread: threading.Thread, view: View) -> None:
    next_poll = 0.0
    with Live(view.render(), refresh_per_second=8, console=Terminal(), transient=False) as live:

        def poll() -> bool:
            nonlocal next_poll
            if time.monotonic() >= next_poll:
                next_poll = time.monotonic() + 0.5
                story.ledger()
                live.update(view.render())
            return story_thread.is_alive()

        running.run(poll)


def _wait_for_ledger(story: Story) -> None:
    """Reads the ledger until everything published has been settled, for at most five seconds."""
    deadline = time.monotonic() + 5.0
    while time.monotonic() < deadline:
        if story.ledger().get("waiting") == 0:
            break
        time.sleep(0.1)


def _print_summary(document: dict[str, Any], on_terminal: bool) -> None:
    if not on_terminal:
        print_json(document)
        return
    for name, value in document.items():
        if name != "holdout":
            say(f"  {name.replace('_', ' '):<22}{value}")
