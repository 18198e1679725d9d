"""Checks the registry: that it opens, its files are intact, and the selected model loads."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence

from command.doctor.finding import Finding, broken, fine, risky
from command.doctor.processes import Chosen
from command.empty_folder import in_empty_folder
from registry.cage.probe import walls
from registry.log.follow import GO_ON
from registry.log.state import Model, State
from registry.registry import Registry
from registry.restored.last_seen import Seen
from registry.restored.watch import difference
from zelador.alarms.policy import alarm_classes
from zelador.errors import NotFound, Unavailable, ZeladorError
from zelador.settings import AlarmSettings, RegistrySettings

MAX_NAMED = 10  # labels in a finding
RESTORE = "restore the registry's folder from a backup, or select another model: zelador models select NAME"


def check(
    settings: RegistrySettings,
    seen: Seen | None = None,
    features: Sequence[str] = (),
    alarm: AlarmSettings | None = None,
) -> tuple[list[Finding], Chosen | None]:
    """Checks the registry, without writing to it or creating it. An error becomes a finding.

    `seen` is the last entry that the services saw; None if unknown. `features` are the plant's; empty if unknown.
    """
    url = settings.url
    try:
        registry = Registry.existing(settings)
        found = registry.etag_at(seen.seq) if seen is not None else None
    except NotFound:
        return [_registry_gone(url, seen) if seen is not None else _no_registry(url)], None
    except ZeladorError as error:
        return [broken("registry", str(error), "no readings; no model can be loaded or selected", RESTORE)], None
    state = registry.state
    findings = [_files_finding(url, state, dict(damaged(registry)))]
    if seen is not None:
        findings.append(last_seen(seen, difference(seen, state.registry, found)))
    if state.selection is None:
        findings.append(unselected(len(state.models)))
        return findings, None
    findings.append(
        _missing_features(state.model(state.selection.model), features)
        or _check_loading(registry, state.selection.model)
    )
    if alarm is not None and alarm.enabled:
        with contextlib.suppress(ZeladorError):  # the findings about the model report it
            manifest = registry.manifest(state.selection.model)
            findings += alarms(state.model(state.selection.model), manifest.classes, alarm.classes)
    findings += _cage()
    return findings, Chosen(state.selection.model, state.selection.sequence)


def damaged(registry: Registry) -> Iterator[tuple[str, str]]:
    """Yields each model with a file that is missing or differs from the manifest, and why."""
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
        "nothing: readings wait unclassified in Redis, and above ZELADOR_INGEST__HIGH_WATER at the broker",
        how,
    )


def last_seen(seen: Seen, why: str | None) -> Finding:
    check = "registry.last_seen"
    if why is None:
        return fine(check, f"the log has entry {seen.seq}, the last that {seen.by} saw")
    return broken(
        check,
        why.removesuffix(f"; {GO_ON}"),
        "models and selections newer than this copy; running workers keep their current model",
        "restore the previous registry; or, if the change was on purpose: zelador models accept --why TEXT",
    )


def _registry_gone(url: str, seen: Seen) -> Finding:
    return broken(
        "registry",
        f"no registry at {url}, but {seen.by} saw its entry {seen.seq} at {seen.at}",
        "all models; running workers keep their current model, a new worker has none, and readings wait",
        f"mount or restore the registry at {url}, or set ZELADOR_REGISTRY__URL to its location",
    )


def _no_registry(url: str) -> Finding:
    return risky(
        "registry",
        f"no registry at {url} yet",
        "nothing: readings wait unclassified in Redis until a model is selected",
        "set ZELADOR_REGISTRY__URL if it is elsewhere; zelador train creates one",
    )


def _files_finding(url: str, state: State, bad: dict[str, str]) -> Finding:
    summary = f"{state.seq} entries in an intact chain, {len(state.models)} models at {url}"
    if not bad:
        return fine("registry", f"{summary}, every file intact")
    if state.selection is not None and state.selection.model in bad:
        lost = "the selected model: a worker that starts now has no model, and readings wait"
        return broken("registry", f"{summary}; damaged: {'; '.join(bad.values())}", lost, RESTORE)
    lost = f"{', '.join(bad)}: can no longer be selected"
    fix = f"restore it from a backup, or delete it: zelador models delete {next(iter(bad))}"
    return risky("registry", f"{summary}; damaged: {'; '.join(bad.values())}", lost, fix)


def _cage() -> list[Finding]:
    """Reports limits of the cage (the process that checks models from elsewhere) that this machine does not support."""
    check = "registry.cage"
    try:
        ready = walls()
    except Unavailable as error:
        lost = "nothing; uploads are refused, and models from elsewhere are not loaded"
        return [broken(check, str(error), lost, "free memory and processes, then run zelador doctor again")]
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
    lost = "nothing by itself; a malicious model could use what is not limited"
    how = "use Linux 5.13 or later with seccomp and Landlock; otherwise accept models only from people you trust"
    return [risky(check, f"models from elsewhere are checked in a process that lacks: {', '.join(missing)}", lost, how)]


def alarms(model: Model, classes: Sequence[str], wanted: Sequence[str] | None) -> Iterator[Finding]:
    """Checks that a label of the selected model is an alarm; otherwise no device can go into alarm."""
    found = alarm_classes(wanted, classes, model.metadata)
    if found:
        yield fine("alarms", f"{', '.join(found)} of {model.name} is an alarm")
        return
    what = f"it is not known which label of {model.name} is an alarm"
    if wanted is not None:
        what = f"{model.name} has no label {' or '.join(wanted)} (ZELADOR_ALARM__CLASSES)"
    yield risky(
        "alarms",
        what,
        "no readings; but no device can go into alarm",
        f"set ZELADOR_ALARM__CLASSES to some of {', '.join(classes[:MAX_NAMED])}, or ZELADOR_ALARM__ENABLED=false",
    )


def _missing_features(model: Model, features: Sequence[str]) -> Finding | None:
    """Returns a finding if the plant does not send every feature that the selected model needs."""
    needed = [str(name) for name in model.metadata.get("features") or ()]
    missing = [name for name in needed if name not in features]
    if not features or not missing:
        return None
    return broken(
        "selection",
        f"{model.name} is selected and needs {', '.join(missing)}, which ZELADOR_FEATURES does not list",
        "nothing: running workers keep the previous model; one that starts now has no model, and readings wait",
        "add them to ZELADOR_FEATURES, or select another model: zelador models select NAME",
    )


def _check_loading(registry: Registry, name: str) -> Finding:
    try:
        with in_empty_folder():
            registry.load(name, remember=False)
    except ImportError as error:
        return risky(
            "selection",
            f"{name} is selected; whether it loads cannot be checked here ({error})",
            "nothing by itself; a worker may refuse it",
            "run zelador doctor where the workers run, or pip install 'zelador[inference]'",
        )
    except ZeladorError as error:
        lost = "nothing: running workers keep the previous model; one that starts now has no model, and readings wait"
        return broken("selection", f"{name} is selected and does not load: {error}", lost, RESTORE)
    return fine("selection", f"{name} is selected, loads, and reproduces its golden rows")
