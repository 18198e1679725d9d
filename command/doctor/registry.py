"""What `zelador doctor` says of the registry: it opens, its files are as saved, the selected model answers."""

from __future__ import annotations

from collections.abc import Iterator

from command.doctor.finding import Finding, broken, fine, risky
from command.doctor.processes import Chosen
from registry.cage.probe import walls
from registry.log.follow import GO_ON
from registry.log.state import State
from registry.registry import Registry
from registry.restored.last_seen import Seen
from registry.restored.watch import difference
from zelador.errors import NotFound, Unavailable, ZeladorError
from zelador.settings import RegistrySettings

RESTORE = "restore the registry's folder from a backup, or select another model: zelador models select NAME"


def check(settings: RegistrySettings, seen: Seen | None = None) -> tuple[list[Finding], Chosen | None]:
    """Writes nothing, and never makes a registry where there is none. Raises nothing that it can say.

    `seen` is what the services saw last, None where that is not known.
    """
    url = settings.url
    try:
        registry = Registry.existing(settings)
        found = registry.etag_at(seen.seq) if seen is not None else None
    except NotFound:
        return [_gone(url, seen) if seen is not None else _none(url)], None
    except ZeladorError as error:
        return [
            broken("registry", str(error), "nothing that was read; no model can be loaded or selected", RESTORE)
        ], None
    state = registry.state
    findings = [_whole(url, state, dict(damaged(registry)))]
    if seen is not None:
        findings.append(last_seen(seen, difference(seen, state.registry, found)))
    if state.selection is None:
        findings.append(unselected(len(state.models)))
        return findings, None
    findings.append(_loads(registry, state.selection.model))
    findings += _cage()
    return findings, Chosen(state.selection.model, state.selection.sequence)


def damaged(registry: Registry) -> Iterator[tuple[str, str]]:
    """Each model with a file that is gone or not what the manifest says, and why."""
    for name in sorted(registry.state.models):
        try:
            for path in registry.manifest(name).files:
                registry.file(name, path)
        except ZeladorError as error:
            yield name, str(error)


def unselected(models: int) -> Finding:
    how = "zelador models select NAME" if models else "zelador train, then zelador models select NAME"
    return risky(
        "selection",
        f"no model is selected ({models} registered)",
        "nothing: readings wait in Redis, unanswered, until one is; above ZELADOR_INGEST__HIGH_WATER at the broker",
        how,
    )


def last_seen(seen: Seen, why: str | None) -> Finding:
    check = "registry.last_seen"
    if why is None:
        return fine(check, f"the log holds entry {seen.seq}, the last that {seen.by} saw")
    return broken(
        check,
        why.removesuffix(f"; {GO_ON}"),
        "what was registered and selected after the copy was made; workers that run keep the model that they have",
        "put back what was there; or, if this is meant: zelador models accept --why TEXT",
    )


def _gone(url: str, seen: Seen) -> Finding:
    return broken(
        "registry",
        f"there is none at {url}, and {seen.by} saw its entry {seen.seq} at {seen.at}",
        "all models; workers that run keep the one that they have, one that starts has none, and readings wait",
        f"mount or restore what belongs at {url}, or set ZELADOR_REGISTRY__URL to where it is",
    )


def _none(url: str) -> Finding:
    return risky(
        "registry",
        f"there is none at {url} yet",
        "nothing: readings wait in Redis, unanswered, until a model is selected",
        "set ZELADOR_REGISTRY__URL if it is elsewhere; zelador train makes one",
    )


def _whole(url: str, state: State, bad: dict[str, str]) -> Finding:
    said = f"{state.seq} entries in a whole chain, {len(state.models)} models at {url}"
    if not bad:
        return fine("registry", f"{said}, every file as it was saved")
    if state.selection is not None and state.selection.model in bad:
        lost = "the selected model: a worker that starts now has none, and readings wait"
        return broken("registry", f"{said}; damaged: {'; '.join(bad.values())}", lost, RESTORE)
    lost = f"{', '.join(bad)}: cannot be selected any more"
    mend = f"restore it from a backup, or give it up: zelador models delete {next(iter(bad))}"
    return risky("registry", f"{said}; damaged: {'; '.join(bad.values())}", lost, mend)


def _cage() -> list[Finding]:
    """What the process in which models from elsewhere are checked lacks on this machine, if anything."""
    check, still = "registry.cage", "models from elsewhere are checked in a process with limits"
    try:
        ready = walls()
    except Unavailable as error:
        lost = "no upload is taken, and no model that was not made here is loaded"
        return [broken(check, str(error), lost, "free memory and processes, then look again")]
    missing = [
        what
        for what, there in (
            ("a limit on memory", ready.memory),
            ("no network", ready.network != "none"),
            ("no files", ready.files != "none"),
        )
        if not there
    ]
    if not missing:
        return []
    lost = "a model that takes over that process could use what it is not kept from"
    how = "run Linux 5.13 or later with seccomp and Landlock; else take models from people you know only"
    return [risky(check, f"{still}, but here without: {', '.join(missing)}", lost, how)]


def _loads(registry: Registry, name: str) -> Finding:
    try:
        registry.load(name, remember=False)
    except ImportError as error:
        return risky(
            "selection",
            f"{name} is selected; whether it loads cannot be tried here ({error})",
            "nothing by this; a worker may refuse it",
            "run zelador doctor where the workers run, or pip install 'zelador[inference]'",
        )
    except ZeladorError as error:
        lost = "nothing: a worker that has the model before goes on; one that starts now has none, and readings wait"
        return broken("selection", f"{name} is selected and does not load: {error}", lost, RESTORE)
    return fine("selection", f"{name} is selected, loads, and answers its golden rows as it did when it was saved")
