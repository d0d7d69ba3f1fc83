"""What the demo answered, what it was, and where the sign is kept so that learn.py takes it in.

    corrections = Corrections(keeper, answers)          a keeper of keepers.py or None; an AnswerTable or None
    corrections.said(ranked, known, mode, latency, strip)    the demo answered
    corrections.choose(1), corrections.be("hello"), corrections.take_back()       what a key or a click says
    corrections.meant, corrections.message              for the screen

The last answer is meant, or the one before it after `step_back`. What takes long, coding a video and writing, happens
in a thread.
"""

import csv
import io
import os
import time
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from signs import command, errors
from signs.clips.dataset import Label
from signs.clips.names import check_text, folded
from signs.clips.no_sign import NOTHING, is_taken
from signs.command import Problem
from signs.console import shown_cell
from signs.live.film import Strip

CHOICES = 3  # answers that are shown, and may be chosen
MEANT = 5  # answers back to which one may step
NOWHERE = "start with --keep and a folder, to keep what you correct"


@dataclass(eq=False)
class Answered:
    """A sign that was answered. when: seconds since the session began; truth: its label, as somebody said; path: where
    it is kept, kept_as: under which label, kept_by: by which keeper."""

    ranked: list[tuple[str, float]]
    known: bool
    mode: str
    latency: float
    strip: Strip | None
    when: float
    truth: str | None = None
    path: Path | None = None
    kept_as: str | None = None
    kept_by: object = None


class AnswerTable:
    """The session's answers as a CSV file, which comes with the first of them, or behind those of earlier sessions."""

    COLUMNS = ("seconds", "mode", "answer", "probability", "sure", "second", "third", "was", "kept")

    def __init__(self, path: Path):
        self.path, self._before = path, ""
        folder = path.absolute().parent
        if not folder.is_dir() or not os.access(folder, os.W_OK):
            raise Problem(f"{path}: no such folder to write it in, or it may not be written")
        if path.exists():  # of an earlier session
            self._before = path.read_text(encoding="utf-8") if path.is_file() else ""
            if not self._before.startswith(",".join(self.COLUMNS) + "\n"):
                raise Problem(f"{path}: there already, and no table of answers; give --answers another name")

    def write(self, answers: list[Answered]) -> None:
        """All answers so far; the file is there whole at every moment."""
        lines = io.StringIO()
        writer = csv.writer(lines, lineterminator="\n")
        if not self._before:
            writer.writerow(self.COLUMNS)
        writer.writerows(map(self._row, answers))
        command.write_text(self.path, self._before + lines.getvalue())

    @staticmethod
    def _row(answer: Answered) -> list:
        best, second, third = [*answer.ranked, ("", 0.0), ("", 0.0)][:CHOICES]
        sure = "yes" if answer.known else "no"
        kept = answer.path or ""
        return [
            f"{answer.when:.1f}",
            answer.mode,
            shown_cell(best[0]),
            f"{best[1]:.4f}",
            sure,
            shown_cell(second[0]),
            shown_cell(third[0]),
            shown_cell(answer.truth or ""),
            kept,
        ]


def no_signs(classes: list[Label]) -> set[str]:
    """The labels that stand for no sign: of the classes of that kind, and NOTHING unless a gesture is called so."""
    gestures = {row.label for row in classes if row.kind == "gesture"}
    return ({row.label for row in classes} | {NOTHING}) - gestures


class Corrections:
    """classes: of the model; listed: somebody else shows the answers, which are in memory alone."""

    def __init__(self, keeper=None, table: AnswerTable | None = None, listed: bool = False):
        self.keeper, self.table, self.listed, self.message = keeper, table, listed, ""
        self.faults: list[str] = []  # what could not be kept or written
        self.classes: list[Label] = []
        self.answers: list[Answered] = []
        self._began = time.monotonic()
        self._back = 0  # how many answers back the one that is meant is
        self._worker = ThreadPoolExecutor(1, thread_name_prefix="keep")
        self._job: Future | None = None

    @property
    def kept(self) -> int:
        """How many takes of this session lie in the keeper's folder."""
        return sum(answer.path is not None for answer in self.answers)

    @property
    def is_kept(self) -> bool:
        """Whether what is said of an answer goes anywhere."""
        return bool(self.keeper or self.table or self.listed)

    @property
    def meant(self) -> Answered | None:
        """The answer that a correction is about."""
        return self.answers[-1 - self._back] if self.answers else None

    def step_back(self) -> None:
        """Mean the answer before the one that is meant; after the last of them the newest again."""
        self._back = (self._back + 1) % max(1, min(MEANT, len(self.answers)))
        self.message = f"{command.counted(self._back, 'answer')} back" if self._back else ""

    def said(self, ranked, known: bool, mode: str, latency: float, strip: Strip | None) -> None:
        """The demo answered; `ranked` labels with their probabilities, best first."""
        now = time.monotonic() - self._began
        self.answers.append(Answered(ranked[:CHOICES], known, mode, latency, strip, now))
        for answer in self.answers[-MEANT - 1 : -MEANT]:
            answer.strip = None  # it cannot be corrected any more, and its pictures need not be held
        self._back, self.message = 0, ""
        self._write()

    def drop_pictures(self) -> None:
        """No answer so far can be kept any more."""
        for answer in self.answers[-MEANT:]:
            answer.strip = None

    def choose(self, number: int) -> None:
        """It was the answer of this number, 0 the best."""
        if self.meant and number < len(self.meant.ranked):
            self._be(self.meant.ranked[number][0])

    def be_nothing(self) -> None:
        """It was no sign."""
        none = next((row.label for row in self.classes if row.kind == "none"), NOTHING)
        if self.meant:
            self._be(none)

    def be(self, name: str) -> None:
        """It was a sign of this name, which the model need not know."""
        if not self.meant:
            return
        try:
            name = check_text(name, "a sign's name")
        except Problem as problem:
            self.message = str(problem)
            return
        known = (row.label for row in self.classes if folded(name) in (folded(row.label), folded(row.name)))
        label = next(known, None)
        if label is None and is_taken(name):
            self.be_nothing()
        else:
            self._be(label or name)

    def take_back(self) -> None:
        """What was said of the last answer was a mistake."""
        if self.meant and self.meant.truth is not None:
            self.meant.truth = None
            self.message = "taken back"
            self._submit(self._forget, self.meant)

    def _be(self, label: str) -> None:
        answer = self.meant
        if not self.is_kept:
            self.message = NOWHERE
        elif label != answer.truth:
            answer.truth = label
            self.message = "keeping it" if self.keeper and answer.strip else ""
            self._submit(self._keep, answer, label, answer.strip)

    def _submit(self, work, answer: Answered, *rest) -> None:
        self._job = self._worker.submit(self._guarded, work, answer, *rest)

    def _guarded(self, work, answer: Answered, *rest) -> None:
        try:
            work(answer, *rest)
        except Exception as error:  # it is one clip; the demo goes on
            self._fail(error)
            answer.truth = answer.kept_as  # what is on the disc
        self._write_now()

    def _keep(self, answer: Answered, label: str, strip: Strip | None) -> None:
        if self.keeper is None or strip is None:
            return
        keeper, before, by = self.keeper, answer.path, answer.kept_by
        answer.path = keeper.keep(strip.video(), label, answer.ranked[0][0])
        answer.kept_as, answer.kept_by = label, keeper
        if before:  # it was said to be another one
            by.forget(before)
        self.message = "kept as no sign" if label in no_signs(self.classes) else f"kept as {label}"

    def _forget(self, answer: Answered) -> None:
        if answer.path:
            answer.kept_by.forget(answer.path)  # also of who allows no more to be kept
            answer.path = answer.kept_as = None

    def _write(self) -> None:
        if self.table:
            self._worker.submit(self._write_now)

    def _write_now(self) -> None:
        if self.table:
            try:
                self.table.write(list(self.answers))
            except OSError as error:
                self._fail(error)

    def _fail(self, error: Exception) -> None:
        """Say what was not kept or written, now in the window and at the end on the terminal."""
        full = errors.is_disc_full(error)
        self.message = f"not kept: {'the disc is full; make room' if full else errors.explain(error)}"
        if self.message not in self.faults:
            self.faults.append(self.message)

    def settle(self) -> None:
        """Wait for what is being written."""
        if self._job:
            self._job.result()

    def close(self) -> None:
        self._worker.shutdown(wait=True)
