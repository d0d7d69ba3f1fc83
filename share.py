"""Make a model one file that others can open, without Keras's weights and without names of people.

    python share.py --model model/mine --output mine.zip
    python livedemo.py --model mine.zip                     where there is no TensorFlow
    python share.py --model model/mine --output hf://anna/greetings      to a Hub, once somebody has said yes
    python share.py --model model/mine --output s3://bucket/mine.zip     to an object storage

in:   a model bundle with forms of export.py (learn.py makes them too); for the loops of its signs, the folder of
      record.py with the consent of the people in them
out:  a zip: the float32 forms, signs, calibration, the networks that find hands with their licence, LICENCE.txt, and
      manifest.json with the SHA-256 of every file; equal models give equal bytes. On a Hub the same files and
      README.md, which says whom it learnt from and how often it is right

Video is never in it. A loop, which is the points of one take of a sign, goes along only where whoever signs allowed
`loops` and `sharing` in consent.csv. A model of which somebody has withdrawn is refused.
"""

import argparse
import shutil
import sys
import tempfile
import zipfile
from dataclasses import replace
from pathlib import Path

from signs import command
from signs.clips.names import check_name, check_text
from signs.clips.storage import ZIP_DATE
from signs.command import Problem, storage_address
from signs.inference import exported, hub, hub_upload, licence_note, manifest, runtime, shared, sign_loops, stored_model
from signs.inference.address import address_of, shown
from signs.inference.bundle import SHARED, WITHDRAWN_FILE, Bundle, load_bundle, write_bundle_file
from signs.inference.confidence import CALIBRATION_FILE, load_calibration
from signs.inference.exported import EXPORT_FILE
from signs.inference.sign_loops import Loop
from signs.landmarks import models
from signs.prepare.recordings import CONSENT, TO_SHARE, Recordings, read_recordings

KEPT = ("flags", "data", "learnt_from", "commit", "versions")  # of what people read in bundle.json
# Of a row of export.json: which processor timed it, and why a form is not used, is nobody else's concern.
LEFT_OUT = ("processor", "why")


def parse(argv=None) -> argparse.Namespace:
    flags = command.parser(__doc__)
    flags.add_argument("--model", type=Path, required=True, help="model folder, e.g. model/mine")
    flags.from_storage = flags.from_hub = {"output"}
    output = "the file to write, e.g. mine.zip or s3://bucket/mine.zip, or a repository of a Hub, hf://owner/name"
    flags.add_argument("--output", type=Path, required=True, metavar="ZIP|ADDRESS", help=output)
    recordings = "folders of record.py that the model learnt from: whose consent allows it is in the loops"
    flags.add_argument("--recordings", type=Path, nargs="+", metavar="FOLDER", help=recordings)
    flags.add_argument("--licence", default="", metavar="TEXT", help='what others may do with it, e.g. "CC BY 4.0"')
    data = 'the data and their licence, e.g. "LSA64, CC BY-NC-SA 4.0"'
    flags.add_argument("--learnt-from", default="", metavar="TEXT", help=data)
    of_hub = flags.add_argument_group("to a Hub")
    of_hub.add_argument("--public", action="store_true", help="everybody may read it; without it nobody but its owners")
    of_hub.add_argument("--yes", action="store_true", help="do not ask before sending")
    args = flags.parse_args(argv)
    args.recordings = args.recordings or []
    args.licence = check_text(args.licence, "--licence", may_be_empty=True)
    args.learnt_from = check_text(args.learnt_from, "--learnt-from", may_be_empty=True)
    args.address = address_of(args.output)
    check_output(flags, args)
    return args


def check_output(flags: argparse.ArgumentParser, args: argparse.Namespace) -> None:
    if args.address:
        if not (args.yes or sys.stdin.isatty()):
            flags.error(f"{args.address}: nobody is at a terminal to say yes, so nothing is sent; --yes says it")
        return
    if args.public or args.yes:
        flags.error("--public and --yes belong to an --output hf://owner/name")
    if args.output.resolve().is_relative_to(args.model.resolve()):
        flags.error(f"--output {args.output}: lies in the model's folder; choose another place")
    in_bucket = storage_address(args.output).partition("://")[2]
    if in_bucket and "/" not in in_bucket:
        flags.error(f"--output {shown(args.output)}: a bucket alone; expected s3://bucket/mine.zip")
    if args.output.suffix.lower() != ".zip" or args.output.is_dir():
        flags.error(f"--output {shown(args.output)}: expected a file that ends in .zip, or hf://owner/name")


def check_free(output: Path) -> None:
    """Raise Problem where a file is there that share.py did not write."""
    address = storage_address(output)
    path = stored_model.earlier(address) if address else output
    if path and path.exists():
        try:
            with open(path, "rb") as file:
                shared.SharedZip(file, path)
        except (Problem, IsADirectoryError):
            raise Problem(f"{shown(output)}: there already, and no model of share.py; choose another name") from None


def open_bundle(folder: Path) -> Bundle:
    """The model that is to be shared; raises Problem where it must not be, or cannot."""
    if (folder / WITHDRAWN_FILE).exists():
        why = (folder / WITHDRAWN_FILE).read_text(encoding="utf-8", errors="replace").strip()
        raise Problem(f"{folder}: withdrawn, so it is not passed on: {why}")
    bundle = None if folder.is_file() else load_bundle(folder)
    if bundle is None or bundle.shared:
        raise Problem(f"{folder}: was shared already, or is no folder of a model; pass on a zip as it came")
    return bundle


def forms_to_share(bundle: Bundle) -> dict:
    """{form: its row of export.json} of the float32 forms that agree with Keras, of reduced ones where there are no
    others; raises Problem without any."""
    rows = {name: row for name, row in exported.read_forms(bundle).items() if row["use"]}
    whole = {name: row for name, row in rows.items() if not runtime.FORMS[name].reduced}
    if not rows:
        raise Problem(f"{bundle.folder}: no form that runs without Keras and agrees with it; {exported.again(bundle)}")
    return {name: {k: v for k, v in row.items() if k not in LEFT_OUT} for name, row in (whole or rows).items()}


def stripped(bundle: Bundle) -> Bundle:
    """A bundle that says nothing of people and this machine: no path, no metrics of persons, no further columns of the
    class table."""
    about = {name: bundle.about[name] for name in KEPT if name in bundle.about}
    about["flags"] = {name: about.get("flags", {})[name] for name in ("script",) if name in about.get("flags", {})}
    clips = about.get("data", {}).get("clips", {})
    about["data"] = {"clips": {split: count for split, count in clips.items() if isinstance(count, int)}}
    return replace(bundle, classes=[replace(row, extra={}) for row in bundle.classes], about={**about, SHARED: 1})


def loops_to_share(folder: Path, recordings: list[Recordings]) -> dict[str, Loop]:
    """{label: loop without a name} of the loops whose signers allow it; says how many are left out."""
    loops, takes = sign_loops.read_whole(folder), takes_to_share(recordings)
    allowed = {label: Loop(loop.points) for label, loop in loops.items() if loop.sha256 in takes}
    if left := [label for label in loops if label not in allowed]:
        if recordings:
            why = f"{CONSENT} does not say `{' '.join(TO_SHARE)}` of who signs, or does not know the take"
        else:
            why = "nobody's consent is known: name the folder of record.py with --recordings"
        print(command.one_line(f"{command.counted(len(left), 'loop')} left out ({command.listed(left)}): {why}"))
    return allowed


def takes_to_share(recordings: list[Recordings]) -> set[str]:
    """SHA-256 of the takes that may be shared, by every folder that knows them: one may be an old copy of another."""
    may, may_not = set(), set()
    for found in recordings:
        allowed = found.allowing(TO_SHARE)
        may |= allowed
        may_not |= {row.sha256 for row in found.rows} - allowed
    return may - may_not


def add_forms(bundle: Bundle, rows: dict, folder: Path) -> None:
    """export.json and the forms' files, each of which is the one that export.py checked."""
    for name, row in rows.items():
        form = runtime.FORMS[name]
        for file, digest in row["sha256"].items():
            source = bundle.folder / form.folder / check_name(file, f"{bundle.folder / EXPORT_FILE}: file")
            if not source.is_file() or command.sha256(source) != digest:
                raise Problem(f"{source}: missing, or not the file that was checked; {exported.again(bundle)}")
            copy(source, folder / form.folder / file)
    exported.write_forms(replace(bundle, folder=folder), rows, {})


def add_networks(folder: Path) -> None:
    """The networks that find hands, as our table knows them, and their licence."""
    models.check_there()
    for name in (*manifest.LICENCES, *(source.name for source in models.SOURCES.values())):
        if not (models.FOLDER / name).is_file():
            again = f"delete {models.FOLDER}, and landmark.py fetches it anew"
            raise Problem(f"{models.FOLDER / name}: missing, and without it the networks are not passed on; {again}")
        copy(models.FOLDER / name, folder / manifest.NETWORKS / name)


def copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, target)


def collect(bundle: Bundle, recordings: list[Recordings], args: argparse.Namespace, folder: Path) -> None:
    """Put all that is shared of a model into an empty folder; on a Hub its README.md too."""
    rows = forms_to_share(bundle)
    starts = licence_note.starts_of(bundle)
    write_bundle_file(replace(stripped(bundle), folder=folder))
    if (bundle.folder / CALIBRATION_FILE).is_file():
        learnt = load_calibration(bundle.folder, bundle.hashes)
        replace(learnt, about={}, model=bundle.hashes).write(folder)
    add_forms(bundle, rows, folder)
    sees_points = bundle.spec.stored.landmark is not None
    if sees_points:
        add_networks(folder)
    loops = loops_to_share(bundle.folder, recordings)
    sign_loops.write_loops(folder, loops)
    signs = [row.name for row in bundle.classes if row.kind == "gesture"]
    clips = bundle.about.get("data", {}).get("clips", {}).get("train")
    place = str(args.address or "FILE.zip")
    text = licence_note.note(signs, clips, starts, args.licence, sees_points, len(loops), place, args.learnt_from)
    (folder / manifest.NOTE).write_text(text, encoding="utf-8")
    table = manifest.write_manifest(files_of(folder))
    (folder / manifest.MANIFEST).write_bytes(table)
    if args.address:
        from signs.evaluation import hub_card

        about = hub_card.Shared(place, args.licence, args.learnt_from, starts, len(loops), sees_points)
        (folder / hub_upload.CARD).write_text(hub_card.write_card(bundle, about), encoding="utf-8")


def files_of(folder: Path) -> dict[str, tuple[int, str]]:
    """{name: (bytes, SHA-256)} of all in a folder."""
    files = {file.relative_to(folder).as_posix(): file for file in sorted(folder.rglob("*")) if file.is_file()}
    return {name: (file.stat().st_size, command.sha256(file)) for name, file in files.items()}


def write_zip(folder: Path, path: Path) -> None:
    """A zip of a folder with its manifest first, whole or not at all: it is read once as livedemo.py would."""
    names = [manifest.MANIFEST, *(name for name in files_of(folder) if name != manifest.MANIFEST)]
    with command.atomic(path) as temporary:
        with zipfile.ZipFile(temporary, "w", zipfile.ZIP_STORED) as archive:
            for name in names:
                with open(folder / name, "rb") as source, archive.open(member(name), "w") as target:
                    shutil.copyfileobj(source, target)
        with open(temporary, "rb") as file:
            shared.SharedZip(file, path).check()


def member(name: str) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name, ZIP_DATE)
    info.create_system = 3  # what Python writes on Linux: equal bytes everywhere
    return info


def print_plan(place: hub_upload.Place, folder: Path) -> None:
    """What would be sent, and where."""
    print((folder / hub_upload.CARD).read_text(encoding="utf-8"))
    files = {name: size for name, (size, _) in files_of(folder).items()}
    rows = [*files.items(), *((name, "deleted") for name in place.gone(folder))]
    readers = "everybody may read it" if place.public else "private"
    state = "there already" if place.commit else "new"
    title = f"To {hub.endpoint()}/{place.address.name} ({state}, {readers}), by {place.account}:"
    command.print_table(("file", "bytes"), [*rows, ("all", sum(files.values()))], title)


def send(place: hub_upload.Place, folder: Path, args: argparse.Namespace) -> int:
    """Ask, and send a folder to a Hub."""
    print_plan(place, folder)
    if not args.yes and not command.is_confirmed("Send all of it?"):
        raise Problem("nothing is sent; answer yes, or give --yes")
    gone = place.gone(folder)
    commit = hub_upload.send(place, folder, "A model of share.py")
    if loops := hub_upload.kept_loops(gone):
        keeps = f"earlier commits still hold {command.listed(loops)}; delete the repository to be rid of them"
        print(command.one_line(f"{place.address}: {keeps}"), file=sys.stderr)
    print(f"-> {place.address}@{commit}\npython livedemo.py --model {place.address}@{commit}")
    return command.DONE


def write(folder: Path, output: Path, work: Path) -> int:
    """Make one file of a folder; of one for an object storage there is a copy in `work`."""
    address = storage_address(output)
    path = work / "shared.zip" if address else output
    write_zip(folder, path)
    if address:
        stored_model.send(path, address)
    print((folder / manifest.NOTE).read_text(encoding="utf-8"), end="")
    print(f"SHA-256 {command.sha256(path)}")
    print(command.one_line(f"-> {shown(output)} ({path.stat().st_size / 1e6:.1f} MB); read {manifest.NOTE} in it"))
    return command.DONE


def main(argv=None) -> int:
    args = parse(argv)
    bundle = open_bundle(args.model)
    for folder in args.recordings:
        if not (folder / CONSENT).is_file():
            raise Problem(f"{folder}: no {CONSENT} in it; name a folder that record.py wrote")
    place = hub_upload.look(args.address, args.public) if args.address else None
    if not place:
        check_free(args.output)
    recordings = [read_recordings(folder) for folder in args.recordings]
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryDirectory() as work:
        collect(bundle, recordings, args, Path(folder))
        return send(place, Path(folder), args) if place else write(Path(folder), args.output, Path(work))


if __name__ == "__main__":
    sys.exit(command.run(main))
