"""Record your own signs with a webcam: takes with their true times, in a folder that learn.py reads.

    python record.py --output recordings/mine
    python record.py --output recordings/mine --signer anna --sign hello "thank you" --takes 5
    python record.py --output recordings/mine --delete-signer anna

in:   a camera, or video files that play its part
out:  recordings/mine/clips.csv (video, label, signer, take, ...), consent.csv, video/<signer>/*.mp4, and points of
      body and hands in landmark-30fps, found meanwhile

The window asks who signs, what she allows and which sign; then for each take it counts down, records and shows what it
got: Enter keeps it, Backspace throws it away, space records it once more, Del takes the last kept one back (or k, t, o,
u). Space ends a take before its time. After each sign it asks for a pause, `nothing`, which teaches a model what no
sign looks like. The same command goes on: more signs, more takes, more people. docs/record.md, docs/privacy.md.
"""

import argparse
import contextlib
import os
import sys
from collections import Counter
from pathlib import Path

from signs import command
from signs.clips.names import check_text
from signs.clips.no_sign import check_signs
from signs.clips.video import first_frame_problem
from signs.command import Problem
from signs.prepare import recordings
from signs.prepare.recordings import Recordings, read_recordings

import videocapture

LONGEST = 30.0  # seconds of a take


def parse_arguments(argv) -> argparse.Namespace:
    flags = command.parser(__doc__)
    flags.from_storage = set()
    flags.add_argument("--output", type=Path, required=True, metavar="FOLDER", help="where takes go, recordings/<name>")
    source = flags.add_mutually_exclusive_group()
    number = command.number(int, least=0, most=9999)
    source.add_argument("--camera", type=number, default=0, metavar="N", help="livedemo.py --camera list shows them")
    played = "video files in the camera's place, one a take"
    source.add_argument("--video", type=Path, nargs="+", metavar="FILE", help=played)
    add_session(flags.add_argument_group("a session; what is not given, the window asks for"))
    group = flags.add_argument_group("deleting a person")
    group.add_argument("--delete-signer", metavar="NAME", help="delete a person's recordings and all made of them")
    data = "data sets that may hold her clips; without it all of data_set/*"
    group.add_argument("--data", type=Path, nargs="+", metavar="FOLDER", help=data)
    model = "models that may have learnt from them; without it all of model/*"
    group.add_argument("--model", type=Path, nargs="+", metavar="FOLDER", help=model)
    group.add_argument("--yes", action="store_true", help="do not ask before deleting")
    args = flags.parse_args(argv)
    check_combination(flags, args)
    return args


def add_session(group) -> None:
    group.add_argument("--signer", metavar="NAME", help="who signs")
    group.add_argument("--sign", nargs="+", default=[], metavar="NAME", help="which signs, in any language")
    takes = command.number(int, least=3, most=10)
    group.add_argument("--takes", type=takes, default=5, metavar="N", help="takes of each sign, 3 to 10")
    length, before = command.number(above=0, most=LONGEST), command.number(least=0)
    group.add_argument(
        "--seconds", type=length, default=3.0, metavar="S", help="length of a take; space ends it sooner"
    )
    group.add_argument("--countdown", type=before, default=3.0, metavar="S", help="seconds before a take begins")
    allowed = "what the person allows: training, and with commas loops (may be shown), sharing (may be passed on)"
    group.add_argument("--consent", metavar="A,B", help=allowed)
    group.add_argument("--given-by", metavar="NAME", help="who gives that consent, as a parent for a child")
    group.add_argument("--full-screen", action="store_true", help="open the window over the whole screen")


def check_combination(flags: argparse.ArgumentParser, args: argparse.Namespace) -> None:
    """Raise Problem where flags do not go together, or a name is none."""
    for name in ("signer", "given_by", "delete_signer"):
        if (value := getattr(args, name)) is not None:
            setattr(args, name, check_text(value, f"--{name.replace('_', '-')}"))
    args.sign = [check_text(sign, "--sign") for sign in args.sign]
    check_signs(args.sign, "--sign: ")
    args.consent = recordings.check_scope(args.consent.split(",")) if args.consent is not None else None
    if args.consent and not args.signer:
        flags.error("--consent is one person's: name her with --signer")
    if args.given_by and not args.consent:
        flags.error("--given-by says who gives --consent, which is missing")
    if args.delete_signer is None and (args.data or args.model or args.yes):
        flags.error("--data, --model and --yes belong to --delete-signer")


def main(argv=None) -> int:
    args = parse_arguments(argv)
    if args.delete_signer is not None:
        return delete_signer(args)
    check_videos(args.video or [])
    from signs.live import window

    window.check_display("run it at a desktop")
    return record(args)


def record(args) -> int:
    """Run a session in the window; the exit code."""
    from signs.live.record_window import Session, run_session
    from signs.live.recorder import Recorder
    from signs.live.session_plan import Plan

    plan = Plan(
        args.signer or "", args.sign, args.takes, args.seconds, args.countdown, args.consent, args.given_by or ""
    )
    with contextlib.ExitStack() as stack:
        source = stack.enter_context(open_source(args))  # first: without a camera no folder is made
        stack.enter_context(command.lock(args.output))
        command.remove_leftovers(args.output)
        folder = read_recordings(args.output)
        finder, tracker = open_points(folder, stack)
        recorder = Recorder(folder, plan, finder, tracker)
        problem = None
        try:
            run_session(Session(recorder, source), finder, args.full_screen)
        except (Problem, KeyboardInterrupt) as stopped:  # what was kept is kept
            problem = stopped
        source.close()
        print_kept(folder, recorder.kept)
        code = command.DONE if recorder.kept else command.NOTHING
        if isinstance(problem, KeyboardInterrupt):
            raise problem
        if problem:
            print(command.one_line(f"record.py: {problem}"), file=sys.stderr)
            code = command.PARTLY if recorder.kept else command.NOTHING
        return max(code, finish_points(finder)) if recorder.kept else code


def check_videos(paths: list[Path]) -> None:
    """Raise Problem where one cannot be played."""
    for path in paths:
        if problem := first_frame_problem(path):
            raise Problem(f"{path}: {problem}")


def open_source(args) -> videocapture.VideoSource:
    return videocapture.VideoFiles(args.video) if args.video else videocapture.Camera(args.camera)


def open_points(folder: Recordings, stack: contextlib.ExitStack):
    """What finds points of takes that are kept, and what tells where the person is now; None and None, with a line that
    says so, where the networks for it are missing."""
    from signs.clips.spec import StoredSpec
    from signs.landmarks.stream import landmark_spec
    from signs.live.point_finder import PointFinder
    from signs.live.tracking import Tracker

    try:
        finder = PointFinder(folder)
    except Problem as problem:
        later = (
            "recording goes on without points: nobody says whether you are cut off, and landmark.py finds them later"
        )
        print(command.one_line(f"{problem}; {later}"), file=sys.stderr)
        return None, None
    stack.callback(finder.close)
    tracker = Tracker(StoredSpec(landmark=landmark_spec()))
    stack.callback(tracker.close)
    return finder, tracker


def finish_points(finder) -> int:
    """Wait for the points of takes that are not looked at yet; the exit code."""
    if finder and finder.waiting:
        takes = command.counted(finder.waiting, "take")
        print(f"finding points of {takes}; Ctrl-C leaves that to the next session, or to landmark.py", flush=True)
    return finder.finish().summary() if finder else command.DONE


def print_kept(folder: Recordings, kept: list[recordings.Recording]) -> None:
    """What there is now, and the command that learns from it."""
    if not kept:
        print("no take was kept")
        return
    counts = Counter((row.signer, row.label) for row in kept)
    named = [f"{signer} {label} {count}" for (signer, label), count in counts.items()]
    table = folder.folder / recordings.TABLE
    print(command.one_line(f"{command.counted(len(kept), 'take')} kept ({command.listed(named)}) -> {table}"))
    learn = f"python learn.py --videos {folder.folder}"
    print(learn if len({row.label for row in folder.rows}) > 1 else f"record a second sign, or a pause; then {learn}")


def delete_signer(args) -> int:
    """Delete a person here, in data sets and in what models keep; the exit code."""
    from signs.training.person_removal import find_person

    if not args.output.is_dir():
        raise Problem(f"{args.output}: no such folder; name the recordings that she is in")
    data_sets, models = folders_in(args.data, "data_set", "clips.csv"), folders_in(args.model, "model", "")
    with command.lock(args.output):
        removal = find_person(args.delete_signer, args.output, data_sets, models)
        removal.print_plan()
        if not args.yes and not command.is_confirmed("Delete all of it?"):
            raise Problem("nothing is deleted; answer yes, or give --yes")
        code = removal.carry_out().summary()
    zips = {path for folder in (args.output, *data_sets, *models) for path in folder.resolve().parent.glob("*.zip")}
    removal.print_rest(sorted(zips))
    return code


def folders_in(given: list[Path] | None, usual: str, has: str) -> list[Path]:
    """The folders that were given, which have to be there, else all of the usual place that hold the file `has`."""
    if missing := [folder for folder in given or [] if not (folder / has).exists()]:
        raise Problem(f"{missing[0]}: {f'no {has} in it' if missing[0].is_dir() else 'no such folder'}")
    if given is not None:
        return given
    here = Path(__file__).parent / usual
    found = sorted(path for path in here.glob("*") if path.is_dir() and (path / has).exists())
    return [Path(os.path.relpath(path)) for path in found]


if __name__ == "__main__":
    sys.exit(command.run(main))
