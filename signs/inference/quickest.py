"""Which form of a bundle's networks is the quickest on the processor that runs them.

    rows = rows_here(bundle)                                the rows of export.json, with the times of this processor
    form = exported.choose_form(bundle, rows, "auto")

The times in export.json hold for the processor that export.py ran on, with as many cores. Elsewhere forms are timed
when a model is loaded: those without a time, the quickest by export.json first, until SPARE seconds are over. So no
start waits longer than that and for one form: each of the first starts learns of another form or two.
What is known is kept for the user, as the bundle may be read-only:

~/.cache/signs/forms/<hash>.json    {form: {ms, after_ms, together}}; the hash is of the forms' files, what runs them
                                    and the processor. Where it cannot be written, each start times forms again.
"""

import contextlib
import functools
import hashlib
import json
import math
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from importlib import metadata
from pathlib import Path

from signs import command
from signs.clips.cache import cache_folder
from signs.command import Problem
from signs.inference import exported, runtime
from signs.inference.bundle import Bundle
from signs.inference.runtime import FORMS, Form

import numpy as np

RUNS = 6  # of each form, of which the shortest counts
SPARE = 0.3  # seconds of a start after which no further form is timed
TOLD = 2.0  # seconds from which on it is said
PATIENCE = 1.0  # seconds of the runs of one form there


@functools.cache
def processor() -> str:
    """What tells this processor from others, and how many of its cores may be used: `znver4-5e1f0a2b, 2 cores`."""
    from llvmlite import binding

    features = hashlib.sha256(binding.get_host_cpu_features().flatten().encode()).hexdigest()
    return f"{binding.get_host_cpu_name()}-{features[:8]}, {runtime.cores()} cores"


def rows_here(bundle: Bundle) -> dict:
    """{form: its row of export.json}, with the times of this processor; without usable forms whose time is not known
    yet, unless there is nothing to choose."""
    rows = exported.read_forms(bundle)
    usable = exported.usable_forms(bundle, rows)
    elsewhere = [form.name for form in usable if rows[form.name].get("processor") != processor()]
    if len(usable) < 2 or not elsewhere:
        return rows
    times = known_times(bundle, rows, sorted(elsewhere, key=lambda name: rows[name]["ms"]))
    if not times and len(elsewhere) == len(usable):
        return rows
    untimed = set(elsewhere) - set(times)
    return {name: row | times.get(name, {}) for name, row in rows.items() if name not in untimed}


def known_times(bundle: Bundle, rows: dict, names: list[str]) -> dict:
    """{form: times} of those of `names` that were timed on this processor before, and of more while SPARE lasts."""
    path = _times_file(rows)
    times = _read_times(path, names)
    missing = [name for name in names if name not in times]
    if not missing:
        return times
    started, clip = time.perf_counter(), random_clip(bundle)
    for name in missing:
        try:
            times[name] = time_form(bundle, FORMS[name], exported.open_networks(bundle, FORMS[name]), clip, PATIENCE)
        except Problem as problem:  # what was exported on another processor need not run on this one
            print(f"{name} is left out: {problem}", file=sys.stderr)
        if time.perf_counter() - started > SPARE:
            break
    if (seconds := time.perf_counter() - started) > TOLD:
        names = ", ".join(name for name in missing if name in times)
        what = f"{seconds:.0f} s were spent on finding out how fast the model runs here"
        again = "it is remembered" if len(times) == len(missing) else "the rest is done when it is started again"
        print(f"first use on this processor: {what} ({names or 'no form does'}); {again}", file=sys.stderr)
    with contextlib.suppress(OSError):
        command.write_text(path, json.dumps(times) + "\n")
    return times


def _times_file(rows: dict) -> Path:
    libraries = sorted({FORMS[name].library for name in rows if runtime.installed(FORMS[name])})
    versions = dict.fromkeys(libraries, "")
    for library in libraries:
        with contextlib.suppress(metadata.PackageNotFoundError):  # of another name, as onnxruntime-gpu
            versions[library] = metadata.version(library.replace("_", "-"))
    about = [{name: row["sha256"] for name, row in rows.items()}, versions, processor()]
    name = hashlib.sha256(json.dumps(about, sort_keys=True).encode()).hexdigest()[:32]
    return cache_folder() / "forms" / f"{name}.json"


def _read_times(path: Path, names: list[str]) -> dict:
    """Nothing where the file is missing, cannot be read or is damaged: then forms are timed again."""
    try:
        times = {name: row for name, row in json.loads(path.read_text()).items() if name in names}
        return {
            name: {"ms": float(row["ms"]), "after_ms": float(row["after_ms"]), "together": bool(row["together"])}
            for name, row in times.items()
        }
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return {}


def random_clip(bundle: Bundle) -> dict[str, np.ndarray]:
    """{stream: (views, T, crop, crop, C) float32} noise: the time of a network does not depend on what it sees."""
    rng = np.random.default_rng(0)
    return {row.name: rng.uniform(-1, 1, bundle.input_shape(row)).astype(np.float32) for row in bundle.streams}


def time_form(bundle: Bundle, form: Form, networks: dict, clip: dict, patience: float = math.inf) -> dict:
    """How long a form takes on this processor.

    Args:
        networks: {stream: network} of it, opened with all cores; clip: {stream: (views, T, crop, crop, C) float32};
        patience: seconds after which no further run begins.
    Returns:
        ms: of a clip through all streams; after_ms: the part of it after the clip's last frame; together: whether it is
        quicker with the streams side by side, then ms is of that.
    """
    seconds, together = seconds_of(networks, clip, False, patience), False
    if not form.streamed and len(networks) > 1 and runtime.cores() > 1:
        beside = exported.open_files(bundle, form, max(1, runtime.cores() // len(networks)))
        at_once = seconds_of(beside, clip, True, patience)
        if at_once < 0.95 * seconds:
            seconds, together = at_once, True
    after = seconds_after(networks, clip, patience) if form.streamed else seconds
    return {"ms": round(1000 * seconds, 2), "after_ms": round(1000 * after, 2), "together": together}


def seconds_of(networks: dict, clip: dict, together: bool, patience: float = math.inf) -> float:
    """Shortest time of one clip through all streams, one after the other or at once."""
    with ThreadPoolExecutor(len(networks)) as pool:
        each = pool.map if together else map
        return shortest_seconds(lambda: list(each(lambda name: networks[name].logits(clip[name]), networks)), patience)


def seconds_after(networks: dict, clip: dict, patience: float = math.inf) -> float:
    """Shortest time from a clip's last frame to the logits of all streams, which have had the other frames before."""

    def begin() -> None:
        for name, network in networks.items():
            network.reset()
            for frame in clip[name][0][:-1]:
                network.push(frame[None])

    def end() -> None:
        for name, network in networks.items():
            network.push(clip[name][0][-1:])
            network.answer()

    return shortest_seconds(end, patience, begin)


def shortest_seconds(run: Callable[[], object], patience: float, before: Callable[[], object] = lambda: None) -> float:
    """The shortest of at most RUNS times of `run`; `before` each of them comes what is not timed.

    What else the processor does only lengthens them. None begins when `patience` seconds have passed since the first.
    """
    shortest, first = math.inf, time.perf_counter()
    for number in range(RUNS):
        if number and time.perf_counter() - first > patience:
            break
        before()
        started = time.perf_counter()
        run()
        shortest = min(shortest, time.perf_counter() - started)
    return shortest
