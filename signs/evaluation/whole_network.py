"""The whole network of somebody's own signs, where several people teach: what `learn.py --thorough` makes.

    asked = people_asked(clips)                     who validates: nothing is learnt from them before all is chosen
    work = begin(model, data, clips, asked)         work/data is what train_landmark.py reads
    found = compare(trained, model, asked)          takes of those people that it names, and that the last layer does
    assemble(trained, quick, found, made)           a model as learn.py leaves it

A network that learns all of itself from several people names far more of a new one's signs than a last layer does
(docs/results.md), and takes minutes instead of seconds.
"""

import os
import shutil
from collections import defaultdict
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from signs import command
from signs.clips import storage
from signs.clips.dataset import Clip, Dataset, save_dataset
from signs.clips.no_sign import NOTHING
from signs.command import Problem
from signs.evaluation import before_after
from signs.inference.bundle import Bundle, load_bundle, save_bundle, write_bundle_file
from signs.inference.confidence import CALIBRATION_FILE
from signs.inference.model_exchange import KNOWN, THOROUGH, work_of
from signs.inference.predictions import Predictions
from signs.inference.sign_loops import FOLDER as LOOPS

FEWEST = 3  # people: two teach while a third is asked
ASKED = 5  # one of so many people is asked
SHARE = 0.6  # drawn clips of no sign for each take, as the last layer has them


def people_asked(clips: list[Clip]) -> list[str]:
    """Who is asked while the network is chosen: those with most signs, each of which two others make. Takes of no sign
    make nobody one of them; nor do takes of which nobody is named, who may be any of them.

    Raises:
        Problem: there are too few people.
    """
    makers = defaultdict(set)
    signs = defaultdict(set)
    for item in clips:
        if item.signer and item.label != NOTHING:
            makers[item.label].add(item.signer)
            signs[item.signer].add(item.label)
    if len(signs) < FEWEST:
        there = command.counted(len(signs), "person is", "people are")
        raise Problem(f"--thorough: {there} named; it learns from {FEWEST} people or more (docs/own_signs.md)")
    chosen = []
    for person in sorted(signs, key=lambda person: (-len(signs[person]), person)):
        if len(chosen) < max(1, len(signs) // ASKED) and all(
            len(makers[label] - {*chosen, person}) > 1 for label in signs[person]
        ):
            chosen.append(person)
    if not chosen:
        raise Problem("--thorough: nobody's signs are all made by two others too; record more of them")
    return chosen


def advice(clips: list[Clip]) -> list[str]:
    """A line that says what `--thorough` would do, where it can."""
    try:
        people_asked(clips)
    except Problem:
        return []
    return ["several people teach: --thorough trains the whole network, some minutes, which knows new people better"]


def begin(model: Path, data: Dataset, clips: list[Clip], asked: list[str]) -> Path:
    """The folder to train in, with its data set; what a stopped run has trained of just these takes stays in it."""
    work = work_of(model)
    if not (work / KNOWN).is_file():
        make_fold(data, clips, asked, work / "data")
        command.write_text(work / KNOWN, load_bundle(model).about[KNOWN])
    return work


def remove_done(model: Path) -> None:
    """Delete what was trained of other takes than the model's, or of these to the end, or was begun half-way."""
    work, about = work_of(model), load_bundle(model).about
    mark = work / KNOWN
    if THOROUGH in about or not mark.is_file() or mark.read_bytes() != about[KNOWN].encode():
        mark.unlink(missing_ok=True)
        shutil.rmtree(work, ignore_errors=True)


def make_fold(data: Dataset, clips: list[Clip], asked: list[str], folder: Path) -> None:
    """A data set of these clips' points in which the people `asked` are `valid`; archives take no room where the disc
    can link them."""
    store, moved = storage.find_landmarks(data).store, []
    for item in clips:
        moved.append(now := replace(item, split="valid" if item.signer in asked else "train"))
        source, target = item.archive(data.folder, store), now.archive(folder, store)
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            os.link(source, target)
        except OSError:
            shutil.copyfile(source, target)
    save_dataset(Dataset(folder, moved, data.classes))


def mirror_flags(quick: Bundle) -> list[str]:
    """`--flip` with the pairs that become each other in a mirror, where learn.py lets signs be seen in one."""
    mirror, labels = quick.streams[0].arguments.get("mirror"), [row.label for row in quick.classes]
    if not mirror:
        return []
    pairs = [(labels[number], labels[to]) for number, to in enumerate(mirror["classes"]) if number < to]
    plain = not any("=" in label or label.startswith("-") for pair in pairs for label in pair)
    return ["--flip", *("=".join(pair) for pair in pairs)] if plain else []  # no flag can name the others


def no_sign_flags(data: Dataset) -> list[str]:
    """`--no-sign`, where no take is of what is none."""
    return [] if NOTHING in {row.label for row in data.classes} else ["--no-sign", str(SHARE)]


@dataclass(frozen=True)
class Found:
    """How many of the `takes` of the people `asked` the whole network names, and how many the last layer, each learnt
    from all other people."""

    right: int
    quick: int
    takes: int
    asked: list[str]

    @property
    def better(self) -> bool:
        return self.right >= self.quick

    def line(self) -> str:
        """What there is to say of it."""
        takes, people = command.counted(self.takes, "take"), command.listed(self.asked)
        named = f"of {takes} by {people}, learnt from the others alone, the whole network names {self.right} rightly"
        kept = "it is the model now" if self.better else "so the model stays as it was"
        return f"{named}, the last layer {self.quick}; {kept}"


def compare(trained: Path, quick: Path, asked: list[str]) -> Found:
    """How a trained network and learn.py's last layer name the takes of the people who were asked."""
    table = Predictions.read(Predictions.path(trained, "valid"), "valid")
    hits, last = table.hits(table.fused).tolist(), before_after.read_right(quick).get("new")
    if last is None:
        raise Problem(f"{quick}: its answers to takes that were left out are gone; delete it, then the same again")
    takes = [(item.clip, item.label) for item in table.clips]
    return Found(sum(hits), sum(last[take] for take in takes), len(takes), asked)


def note(quick: Bundle, found: Found) -> None:
    """Keep in a model what was found, so that it is not trained again for the same takes."""
    write_bundle_file(replace(quick, about={**quick.about, THOROUGH: asdict(found)}))


def assemble(trained: Path, quick: Bundle, found: Found, made: Path) -> None:
    """A model with the trained network, and all else that learn.py keeps: loops, answers to left-out takes, what it has
    learnt from."""
    bundle = load_bundle(trained)
    shutil.rmtree(made, ignore_errors=True)
    made.mkdir()
    names = [name for stream in bundle.streams for name in stream.files.values()]
    for path in (trained / name for name in (*names, CALIBRATION_FILE)):
        if path.is_file():
            shutil.copyfile(path, made / path.name)
    answers = Predictions.path(quick.folder, before_after.LEFT_OUT)
    if answers.is_file():
        shutil.copyfile(answers, made / answers.name)
    if (quick.folder / LOOPS).is_dir():
        shutil.copytree(quick.folder / LOOPS, made / LOOPS)
    flags = {name: value for name, value in bundle.about["flags"].items() if name != "refit"}  # that run is deleted
    refit = {"splits": bundle.about["refit"]["splits"]}
    kept = {
        "flags": flags,
        "refit": refit,
        "data": quick.about["data"],
        KNOWN: quick.about[KNOWN],
        THOROUGH: asdict(found),
    }
    save_bundle(replace(bundle, folder=made, about={**bundle.about, **kept}))
