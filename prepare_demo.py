"""Draw a small data set of synthetic signers, packed as ChaLearn IsoGD ships its own: something to try everything on.

    python prepare_demo.py --output data_set/demo/_download
    python prepare_chalearn.py --download data_set/demo/_download --output data_set/demo

Nothing goes in. Out come three archives of XviD videos (10 frames/s, 320x240, colour `M_*.avi` and depth `K_*.avi`),
IsoGD_phase_1.zip with `IsoGD_phase_1/train/001/M_00001.avi`, phase 2 with `valid` and phase 3 with `test`; the lists
`train_list.txt`, `valid_list.txt`, `test_list.txt`; `signers.csv` (video, signer); `class.csv` (label, name, kind); and
`demo.json`, written last. No signer is in two splits. Equal flags give equal bytes.

Eight signs differ in movement alone: both hands swing along a line, across or up and down, together, one against the
other, one a quarter behind the other, or changing from the first to the second on the way. The ninth class is of kind
`none`: everybody also rests, scratches the head, straightens clothes, folds the arms, waves, walks in or out. Some such
movements are drawn of validation or of test signers alone (signs/prepare/synthetic_pauses.py), so that nothing learns
them. One test signer is hard to recognise: far away, in a dim room, with small and slow signs.
"""

import json
import os
import shutil
import sys
import zipfile
from dataclasses import dataclass
from pathlib import Path

from signs import command
from signs.clips import dataset
from signs.clips.dataset import Label
from signs.clips.no_sign import NO_SIGN
from signs.command import Problem
from signs.prepare import synthetic, synthetic_pauses, synthetic_signs, transfer
from signs.prepare.synthetic import Manner
from signs.prepare.synthetic_movement import Movement
from signs.prepare.synthetic_pauses import Pause
from signs.prepare.synthetic_signs import Sign

import cv2
import numpy as np

VERSION = 2  # of what is drawn; a data set of another version is not taken for this one
PER_FOLDER = 200  # videos in one numbered folder, as in IsoGD
CODEC = "XVID"  # as IsoGD
ZIP_DATE = (2016, 1, 1, 0, 0, 0)
LISTS = {"train": "train_list.txt", "valid": "valid_list.txt", "test": "test_list.txt"}
ARCHIVES = {"train": "IsoGD_phase_1", "valid": "IsoGD_phase_2", "test": "IsoGD_phase_3"}
NAMES = [*(f"{name}.zip" for name in ARCHIVES.values()), *LISTS.values(), "signers.csv", "class.csv"]
MARK, DRAWING = "demo.json", ".drawing"
SIGNS = {
    f"{line}-{relation}": Movement(axis, relation)
    for line, axis in (("across", (1, 0)), ("upright", (0, -1)))
    for relation in ("together", "against", "following", "changing")
}
UNSEEN = {"train": (), "valid": synthetic_pauses.UNSEEN_VALID, "test": synthetic_pauses.UNSEEN_TEST}


@dataclass(frozen=True)
class Job:
    """One clip to draw: everything its pixels depend on, and where its two videos go."""

    seed: int
    split: str
    signer: int
    label: int
    take: int
    colour: str
    depth: str
    movement: Movement | Sign | Pause
    manner: Manner = synthetic.USUAL


def main(argv=None) -> int:
    flags = command.parser(__doc__)
    flags.add_argument("--output", type=Path, required=True, metavar="FOLDER", help="where the archives and lists go")
    another = "draw N signs of another kind (synthetic_signs.py) instead of the eight: to pre-train on"
    flags.add_argument("--signs", type=command.number(int, least=2, most=300), metavar="N", help=another)
    people = "signers in train; valid gets a fifth, test a quarter"
    flags.add_argument("--signers", type=command.number(int, least=1, most=9999), default=40, metavar="N", help=people)
    takes = command.number(int, least=1, most=99)
    flags.add_argument("--clips", type=takes, default=1, metavar="N", help="clips of each sign by each signer")
    idle = "clips of movements that are no sign by each signer, and a test signer who is hard to recognise; "
    idle += "0: the signs alone, by signers who are all alike, as with --signs"
    flags.add_argument("--pauses", type=command.number(int, least=0, most=99), default=2, metavar="N", help=idle)
    seed = command.number(int, least=0, most=1 << 63)
    flags.add_argument("--seed", type=seed, default=0, metavar="N", help="another seed draws other people")
    command.add_workers(flags)
    args = flags.parse_args(argv)
    pauses = args.pauses if args.signs is None else 0
    return prepare_demo(args.output, args.signers, args.clips, args.seed, args.workers, args.signs, pauses)


def prepare_demo(
    output: Path,
    signers: int = 40,
    clips: int = 1,
    seed: int = 0,
    workers: int = -1,
    signs: int | None = None,
    pauses: int = 0,
) -> int:
    """Draw the data set into `output`, or say that it is there; returns the exit code."""
    about = {"version": VERSION, "signers": signers, "clips": clips, "seed": seed, "signs": signs, "pauses": pauses}
    mark = json.dumps(about, indent=2) + "\n"
    if output.exists() and not output.is_dir():
        raise Problem(f"{output}: a file; --output wants a folder")
    with command.lock(output):
        if is_there(output, mark):
            print(f"{output}: already there, nothing done")
            return command.DONE
        jobs, drawing = plan_clips(signers, clips, seed, signs, pauses), output / DRAWING
        shutil.rmtree(drawing, ignore_errors=True)
        drawing.mkdir()
        try:
            outcome = command.parallel(draw_clip, [(job.colour, (drawing, job)) for job in jobs], workers, "clips")
            if outcome.failed:
                raise Problem("{}: {}".format(*outcome.failed[0]))
            pack(drawing, jobs, classes_of(signs, pauses))
            for name in NAMES:
                os.replace(drawing / name, output / name)
            command.write_text(output / MARK, mark)
        finally:
            shutil.rmtree(drawing, ignore_errors=True)
    counts = ", ".join(f"{split} {sum(job.split == split for job in jobs)}" for split in LISTS)
    drawn = command.counted(signs or len(SIGNS), "sign") + " and of what is none" * bool(pauses)
    print(f"{output}: {command.counted(len(jobs), 'clip')} of {drawn} ({counts})")
    return command.DONE


def is_there(output: Path, mark: str) -> bool:
    """Whether `output` has exactly this data set; raises Problem where it has something else that would be lost."""
    there = [name for name in NAMES if (output / name).exists()]
    if (output / MARK).exists():
        if (output / MARK).read_text(encoding="utf-8", errors="replace") != mark:
            raise Problem(f"{output}: holds another data set ({MARK}); choose another --output or delete that folder")
        return len(there) == len(NAMES)
    if there and not (output / DRAWING).exists():
        raise Problem(f"{output}: has {there[0]} that is not from here; choose another --output")
    return False


def movements(signs: int | None) -> dict[str, Movement | Sign]:
    """{name: movement} of each sign: the eight, or so many of synthetic_signs.py."""
    return SIGNS if signs is None else {sign.name: sign for sign in synthetic_signs.draw_signs(signs)}


def classes_of(signs: int | None, pauses: int) -> list[Label]:
    """The class table: the signs, and what is none."""
    names = [*((name, "gesture") for name in movements(signs)), *[(NO_SIGN, "none")] * bool(pauses)]
    return [Label(f"{number:03d}", *each) for number, each in enumerate(names, 1)]


def plan_clips(signers: int, clips: int, seed: int, signs: int | None, pauses: int = 0) -> list[Job]:
    """Every clip of the data set, in the order of the lists: shuffled within a split, signers counted over all."""
    moves = list(movements(signs).values())
    jobs, first, labels = [], 1, range(1, len(moves) + 1)
    for split, people in (("train", signers), ("valid", max(1, signers // 5)), ("test", max(1, signers // 4))):
        rows = [
            (s, label, take, moves[label - 1])
            for s in range(first, first + people)
            for label in labels
            for take in range(clips)
        ]
        idle = idle_kinds(split, people * pauses)
        rows += [(first + n // pauses, len(moves) + 1, n % pauses, Pause(kind)) for n, kind in enumerate(idle)]
        first += people
        hard = first - 1 if pauses and split == "test" and people > 1 else None
        order = np.random.default_rng([seed, first]).permutation(len(rows))
        for number, (signer, label, take, move) in enumerate((rows[i] for i in order), 1):
            folder = f"{split}/{(number - 1) // PER_FOLDER + 1:03d}"
            names = (f"{folder}/M_{number:05d}.avi", f"{folder}/K_{number:05d}.avi")
            manner = synthetic.HARD if signer == hard else synthetic.USUAL
            jobs.append(Job(seed, split, signer, label, take, *names, move, manner))
    return jobs


def idle_kinds(split: str, count: int) -> list[str]:
    """What is drawn of a split in so many clips: all kinds that can be learnt in turn, and, where the split has kinds
    of its own, one of these in every second clip."""
    learnt, own = synthetic_pauses.LEARNT, UNSEEN[split]
    if not own:
        return [learnt[number % len(learnt)] for number in range(count)]
    return [
        (own if number % 2 else learnt)[number // 2 % len(own if number % 2 else learnt)] for number in range(count)
    ]


def draw_clip(item: tuple[Path, Job]) -> None:
    """Draw one clip and write its colour and its depth video below a folder."""
    folder, job = item
    cv2.setNumThreads(1)  # the processes are as many as the cores
    signer = synthetic.signer_of(job.seed, job.signer, job.manner)
    seed = [job.seed, job.signer, job.label, job.take]
    colour, depth = synthetic.draw_clip(signer, job.movement, np.random.default_rng(seed))
    for path, pictures in ((job.colour, colour), (job.depth, np.repeat(depth[..., None], 3, axis=-1))):
        transfer.write_video(folder / path, pictures, synthetic.RATE, CODEC)


def pack(folder: Path, jobs: list[Job], classes: list[Label]) -> None:
    """Make NAMES in the folder that holds the drawn videos: archives, lists and tables."""
    for split, name in ARCHIVES.items():
        chosen = [job for job in jobs if job.split == split]
        with zipfile.ZipFile(folder / f"{name}.zip", "w") as archive:
            for video in sorted(video for job in chosen for video in (job.colour, job.depth)):
                member = zipfile.ZipInfo(f"{name}/{video}", ZIP_DATE)
                member.create_system, member.external_attr = 3, 0o644 << 16  # as on Unix, wherever this runs
                archive.writestr(member, (folder / video).read_bytes())
        rows = (f"{job.colour} {job.depth} {job.label}\n" for job in chosen)
        (folder / LISTS[split]).write_text("".join(rows), encoding="utf-8", newline="\n")
    people = [{"video": job.colour, "signer": f"signer{job.signer:03d}"} for job in jobs]
    dataset.write_table(folder / "signers.csv", people, ("video", "signer"))
    dataset.write_classes(folder / "class.csv", classes)


if __name__ == "__main__":
    sys.exit(command.run(main))
