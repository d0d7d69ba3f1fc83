"""Taking a person back out of data sets and models: her clips, what was made of them, and what learnt from them.

    person = Person("anna", {sha256 of her recordings})
    clips = clips_of_person(folder, person)                 of a data set
    remove_from_data(folder, clips)
    clean_results(model, person, names); mark_withdrawn(model)

A network that has learnt cannot forget: its folder gets a WITHDRAWN.txt, which whatever loads the model prints.
"""

import contextlib
import csv
import io
import json
import shutil
from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path

from signs import command
from signs.clips import dataset
from signs.clips.dataset import Clip, load_dataset, save_dataset
from signs.clips.names import folded
from signs.clips.storage import DAMAGED
from signs.console import read_cell
from signs.inference import sign_loops
from signs.inference.bundle import BUNDLE_FILE, PARENTS, WITHDRAWN_FILE
from signs.inference.model_exchange import KNOWN, THOROUGH, owner_of, work_of
from signs.inference.sign_loops import Loop
from signs.prepare import known_files
from signs.prepare.transfer import remove
from signs.training.run_folder import clips_of

import numpy as np

STORES = ("frame-", "flow-", "landmark-")
RESULTS = ("report", "report.png", "metrics.json")  # of an evaluation: they show loops, and name people


@dataclass(frozen=True)
class Person:
    """Who withdraws: her name, and SHA-256 of what was recorded of her, whatever a data set calls her."""

    name: str
    hashes: frozenset[str] = frozenset()

    def is_of(self, clip: Clip | Loop) -> bool:
        return clip.sha256 in self.hashes or bool(clip.signer) and folded(clip.signer) == folded(self.name)


def clips_of_person(folder: Path, person: Person) -> list[Clip]:
    """Her clips in a data set; raises Problem where that cannot be read."""
    return [clip for clip in load_dataset(folder).clips if person.is_of(clip)]


def remove_from_data(folder: Path, clips: Collection[Clip]) -> list[Path]:
    """Delete clips' videos, archives and rows of a data set; returns the features, of other people's clips too, that
    were deleted with them. The rows go last: after a stop the same again finishes it."""
    with command.lock(folder):
        data, names = load_dataset(folder), {clip.clip for clip in clips}
        for clip in clips:
            for path in files_of(folder, clip):
                remove(path)
        features = [path for path in sorted(folder.glob("feature-*/*.h5")) if names & clips_in(path)]
        for path in (
            *features,
            folder / "not_done.csv",
            folder / known_files.FILE,
        ):  # the last two know of hers, perhaps
            path.unlink(missing_ok=True)
        save_dataset(replace(data, clips=[clip for clip in data.clips if clip.clip not in names]))
    return features


def files_of(folder: Path, clip: Clip) -> list[Path]:
    """All files of a clip in its data set, or folders of its pictures: of every part and store. Of a clip that
    is an interval the whole video: she is in it, whoever else is."""
    kept = [path for path in folder.iterdir() if path.is_dir() or path.is_symlink()]
    parts = [path for path in kept if path.name in dataset.PARTS]
    if clip.start is not None:
        found = [clip.video(folder, part.name) for part in parts]
    else:
        inside = [path for part in parts if (part / clip.folder).is_dir() for path in (part / clip.folder).iterdir()]
        found = [path for path in inside if clip.stem in (path.stem, path.name)]
    return found + [clip.archive(folder, path.name) for path in kept if path.name.startswith(STORES)]


def clips_in(path: Path) -> set[str]:
    """Names of the clips whose features are in a file; none where it cannot be read."""
    import h5py

    with contextlib.suppress(OSError, KeyError), h5py.File(path) as file:
        return set(file["clip"].asstr("utf-8")[:].tolist())
    return set()


def find_models(folders: Iterable[Path]) -> list[Path]:
    """The folders that hold a bundle, or a training that began, in or below these."""
    found = set()
    for folder in folders:
        found |= {path.parent for path in folder.rglob(BUNDLE_FILE)}
        found |= {path.parent.parent for path in folder.rglob("checkpoint/run.json")}
    return sorted(found)


def find_works(folders: Iterable[Path]) -> list[Path]:
    """The folders in which `learn.py --thorough` trains, in, below or beside these."""
    near = {path for folder in folders for path in (folder, work_of(folder), *folder.rglob("*.whole"))}
    return sorted(path for path in near if path.suffix == ".whole" and path.is_dir() and not is_model(path))


def is_model(folder: Path) -> bool:
    """Whether a folder holds a bundle, or a training that began."""
    return (folder / BUNDLE_FILE).exists() or (folder / "checkpoint").exists()


def about_model(folder: Path) -> dict:
    """What bundle.json says, whatever its format; nothing where there is none."""
    with contextlib.suppress(OSError, ValueError):
        content = json.loads((folder / BUNDLE_FILE).read_text(encoding="utf-8"))
        return content if isinstance(content, dict) else {}
    return {}


def has_learnt_from(model: Path, data: Path, person: Person) -> bool:
    """Whether a model may have learnt from a person's clips in a data set, before they are removed.

    It has unless it learnt from another data set, her clips are all in `test`, or its training left a hash of the very
    clips that are there without her.
    """
    whole = load_dataset(data)
    if not any(person.is_of(clip) for clip in whole.split("train", "valid", labelled=True)):
        return False
    run, about = model / "checkpoint" / "run.json", about_model(model).get("data", {})
    if about and about.get("folder") != data.resolve().name:
        return False
    with contextlib.suppress(OSError, ValueError):
        begun = json.loads(run.read_text(encoding="utf-8")).get("clips")
        if not about or begun:  # a training that is not finished names no data set
            without = replace(whole, clips=[clip for clip in whole.clips if not person.is_of(clip)])
            return begun == clips_of(whole) if not about else begun != clips_of(without)
    return bool(about)


def with_descendants(marked: Collection[Path], models: Collection[Path]) -> list[Path]:
    """The marked models and those that were made of them: joined, pruned, taught, or begun with their weights."""
    marked = set(marked)
    while more := {model for model in models if model not in marked and parents_of(model) & {m.name for m in marked}}:
        marked |= more
    return sorted(marked)


def parents_of(model: Path) -> set[str]:
    """Folder names of the models that a model was made of."""
    content = about_model(model)
    flags, found = content.get("flags", {}), []
    for table in (flags, content.get("compressed", {})):
        found += [table.get(name) for name in PARENTS]
    found.append(content.get("refit", {}).get("of"))
    texts = [text for value in found for text in (value if isinstance(value, list) else [value])]
    return {Path(text).name for text in texts if isinstance(text, str)}


def clean_results(model: Path, person: Person, names: set[str], learnt: bool) -> int:
    """Delete a person's rows in a model's predictions, the loops of her signs, and report, metrics and answers of a
    training where they may show or name her; the number of rows.

    Args:
        names: of her clips.
        learnt: the model has learnt from her; its report shows training clips beside those that fail.
    """
    with command.lock(model, "evaluation"):
        sign_loops.remove_loops(model, person.is_of)
        rows = sum(_clean_table(path, person, names) for path in sorted(model.glob("predictions-*.csv")))
        for path in (*model.glob("valid/*.npz"), *model.glob("logits-*.npz")):
            if names & _clips_of_answers(path):
                path.unlink()
        if rows or learnt or _names_person(model / "metrics.json", person, names):
            for name in RESULTS:
                path = model / name
                if path.is_dir():
                    shutil.rmtree(path)
                else:
                    path.unlink(missing_ok=True)
    return rows


def _clips_of_answers(path: Path) -> set[str]:
    """Names of the clips that a training (log.py) or a teacher (distillation.py) left its answers to."""
    with contextlib.suppress(*DAMAGED, OSError, TypeError), np.load(path, allow_pickle=False) as answers:
        if "clips" in answers:
            return set(answers["clips"].tolist())
        return {name for name, _ in json.loads(str(answers["about"]))["clips"]}
    return set()


def _clean_table(path: Path, person: Person, names: Collection[str]) -> int:
    """Rewrite a table without a person's rows, or delete it where no other is left; how many they were."""
    with open(path, newline="", encoding="utf-8") as file:
        head, *rows = list(csv.reader(file)) or [[]]
    place = {name: number for number, name in enumerate(head)}
    if not {"clip", "signer"} <= place.keys():
        return 0

    def is_hers(row: list[str]) -> bool:
        clip, signer = read_cell(row[place["clip"]]), read_cell(row[place["signer"]])
        return clip in names or folded(signer) == folded(person.name)

    kept = [row for row in rows if not is_hers(row)]
    if not kept:
        path.unlink()
    elif len(kept) < len(rows):
        content = io.StringIO()
        csv.writer(content, lineterminator="\n").writerows([head, *kept])
        command.write_text(path, content.getvalue())
    return len(rows) - len(kept)


def _names_person(path: Path, person: Person, names: Collection[str]) -> bool:
    """Whether metrics.json has a row of a person, or of one of her clips."""
    with contextlib.suppress(OSError, ValueError):
        waiting = [json.loads(path.read_text(encoding="utf-8"))]
        while waiting:
            value = waiting.pop()
            if isinstance(value, dict):
                if folded(str(value.get("signer", ""))) == folded(person.name) or str(value.get("clip")) in names:
                    return True
                value = list(value.values())
            if isinstance(value, list):
                waiting += value
    return False


def mark_withdrawn(model: Path) -> None:
    """Write what whoever loads the model is told; it names nobody."""
    day = date.today().isoformat()
    line = f"it learnt from recordings of a person who withdrew them on {day}; train it again, and delete this one"
    command.write_text(model / WITHDRAWN_FILE, line + "\n")


def command_anew(model: Path, data: Path, recordings: Path) -> str:
    """How the model was made, as a command that makes it anew beside the old one; learn.py's takes its place."""
    about = about_model(model)
    flags = about.get("flags", {})
    script = str(flags.get("script", "train_landmark.py"))
    script = script if script.endswith(".py") else f"{script}.py"
    if KNOWN in about or script == "learn.py":
        thorough = " --thorough" if THOROUGH in about else ""
        return f"python learn.py --videos {recordings} --data {data} --model {owner_of(model)}{thorough}"
    return f"python {script} --data {data} --output {model}-anew"
