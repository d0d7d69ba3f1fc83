"""Deleting a person everywhere: her recordings, her clips in data sets, what shows her in models.

removal = find_person("anna", Recordings, data_sets, models)
removal.print_plan(); outcome = removal.carry_out(); removal.print_rest()
"""

import contextlib
from dataclasses import dataclass, field
from pathlib import Path

from signs import command
from signs.clips.dataset import Clip
from signs.command import Outcome, Problem
from signs.inference.model_exchange import owner_of
from signs.prepare.recordings import Recordings, read_recordings
from signs.prepare.transfer import remove
from signs.training import withdrawal
from signs.training.withdrawal import Person

OUT_OF_REACH = (
    "Out of reach, tell whoever has them: copies of these folders, zips and exported models elsewhere (laptops, "
    "telephones, cloud drives, backups), and what was published of them."
)


@dataclass
class Removal:
    """What there is of a person.

    clips: {data set: her clips}; learnt: models that may have learnt from her, and what was made of these; results: all
    models whose results are looked through; works: where learn.py trains and is not done; sources: {model: data set
    that it learnt from}.
    """

    person: Person
    recordings: Recordings
    clips: dict[Path, list[Clip]] = field(default_factory=dict)
    learnt: list[Path] = field(default_factory=list)
    results: list[Path] = field(default_factory=list)
    works: list[Path] = field(default_factory=list)
    sources: dict[Path, Path] = field(default_factory=dict)
    failed: list[tuple[str, str]] = field(default_factory=list)

    @property
    def takes(self) -> int:
        return len(self.recordings.of_signer(self.person.name))

    @property
    def is_empty(self) -> bool:
        """Whether nobody of that name is anywhere."""
        return not (self.takes or self.clips or self.recordings.consent_of(self.person.name))

    def print_plan(self) -> None:
        """What carry_out deletes and marks, a line each."""
        print(f"{self.person.name}: {command.counted(self.takes, 'take')} and consent in {self.recordings.folder}")
        for folder, clips in self.clips.items():
            print(f"{folder}: {command.counted(len(clips), 'clip')}, with archives, features and rows")
        for model in self.learnt:
            print(f"{model}: learnt from them; it is marked as withdrawn")
        for work in self.works:
            print(f"{work}: a training of learn.py that is not done; it is deleted, whoever is in it")
        if self.results:
            models = command.listed([str(model) for model in self.results])
            print(command.one_line(f"looked through for rows of predictions, loops and pictures: {models}"))

    def carry_out(self) -> Outcome:
        """Delete and mark; what could not be is named. Recordings go last, so that the same again finishes a stop.
        Raises Problem, before anything is deleted, where learn.py is at work on one of the models."""
        with contextlib.ExitStack() as held:
            for model in sorted({owner_of(folder) for folder in (*self.results, *self.works)}):
                if (model.parent / f".lock-{model.name}").exists():
                    held.enter_context(_stopped(model))
            return self._carry_out()

    def _carry_out(self) -> Outcome:
        failed, done = list(self.failed), []
        names = {clip.clip for clips in self.clips.values() for clip in clips}
        for work in self.works:
            with command.noting(failed, str(work)):
                remove(work)
        for model in self.results:
            with command.noting(failed, str(model)):
                if rows := withdrawal.clean_results(model, self.person, names, model in self.learnt):
                    print(f"{model}: {command.counted(rows, 'row')} of predictions and the report deleted")
        for model in self.learnt:
            with command.noting(failed, str(model)):
                withdrawal.mark_withdrawn(model)
                done.append(model)
        for folder, clips in self.clips.items():
            with command.noting(failed, str(folder)):
                for path in withdrawal.remove_from_data(folder, clips):
                    print(f"{path}: deleted, others' features too; feature.py makes them again")
                done.append(folder)
        if self.recordings.folder.is_dir():
            self.recordings.remove_signer(self.person.name)
            done.append(self.recordings.folder)
        print(f"{self.person.name} is deleted in {command.counted(len(done), 'place')}")
        return Outcome(done, failed)

    def print_rest(self, zips: list[Path]) -> None:
        """How to learn anew, and what nobody here can call back. zips: archives that may hold her."""
        for model in self.learnt:
            if data := self.sources.get(model):
                anew = withdrawal.command_anew(model, data, self.recordings.folder)
                print(f"anew, with the flags in {model}/bundle.json: {anew}")
        if zips:
            print(command.one_line(f"look into these yourself: {command.listed([str(path) for path in zips])}"))
        print(OUT_OF_REACH)


def _stopped(model: Path) -> contextlib.AbstractContextManager:
    """Hold the lock of learn.py, which would put a model that has learnt from her where this one lies."""
    try:
        return command.lock(model.parent, model.name)
    except Problem:
        raise Problem(
            f"{model}: learn.py is at work on it, and nothing is deleted yet; stop it, then the same again"
        ) from None


def find_person(name: str, output: Path, data_sets: list[Path], models: list[Path]) -> Removal:
    """What there is of a person in a folder of recordings, in data sets and in models, each of which exists."""
    recordings = read_recordings(output)
    name = recordings.spelling(name)
    person = Person(name, frozenset(row.sha256 for row in recordings.of_signer(name)))
    works = withdrawal.find_works(models)
    results = [each for each in withdrawal.find_models(models) if not any(map(each.is_relative_to, works))]
    removal = Removal(person, recordings, results=results, works=works)
    for folder in data_sets:
        with command.noting(removal.failed, str(folder)):
            if clips := withdrawal.clips_of_person(folder, person):
                removal.clips[folder] = clips
    for folder in removal.clips:
        for model in removal.results:
            if withdrawal.has_learnt_from(model, folder, person):
                removal.sources[model] = folder
    removal.learnt = withdrawal.with_descendants(removal.sources, removal.results)
    if removal.is_empty:
        known = sorted({row.signer for row in (*recordings.consents, *recordings.rows)})
        there = f"there are {command.listed(known)}" if known else "nobody is there"
        raise Problem(f"{output}: no signer {name}, nor in the data sets; {there}")
    return removal
