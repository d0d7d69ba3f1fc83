"""Name signs in a browser: a page of this machine that shows its camera, and reads what somebody signs in front of it.

    python webdemo.py --model model/chalearn
    python webdemo.py --host 0.0.0.0            for a phone in the same network

in:   a model bundle or a zip that share.py made of one (without --model: 30 signs of German Sign Language)
out:  an address, printed with a secret in it; whoever opens it signs after a countdown, hands-free or continuously,
      sees the three best names and says what it was, or sends a video file

The same recogniser as livedemo.py and predict.py. Each visitor has a session of his own; as many are served at a time
as this machine carries, which is measured at the start, the others see their place in the row. Nothing leaves the
machine, and nothing is stored but what --keep says and a visitor allows.
Without --host nobody else can reach the page; with it it speaks HTTPS, with a certificate made on the spot, and asks
for a password. docs/web.md has the rest.
"""

import argparse
import functools
import secrets
import sys
from pathlib import Path

from signs import command
from signs.command import Problem
from signs.inference.bundle import is_bundle, load_bundle
from signs.inference.recogniser import Recogniser, check_camera
from signs.live.model_choice import find_model
from signs.prepare.keepers import open_keeper
from signs.prepare.recordings import CONSENT, TABLE

LEARNT = "learnt_from"  # in bundle.json of a model of learn.py
LOOPBACK, PORT = "127.0.0.1", 8080
SHORTEST = 8  # characters of a password
EXTRA = ("starlette", "uvicorn", "websockets", "cryptography")


def parse_arguments(argv) -> argparse.Namespace:
    flags = command.parser(__doc__)
    named = "model folder, zip of share.py, or hf://owner/name; without it 30 signs of German Sign Language"
    flags.add_argument("--model", type=Path, help=named)
    reached = flags.add_argument_group("who can reach it")
    where = "address or name of this machine by which others reach the page; 0.0.0.0 is all it has"
    reached.add_argument("--host", default=LOOPBACK, help=where)
    port = command.number(int, least=0, most=65535)
    reached.add_argument("--port", type=port, default=PORT, metavar="N", help="0 takes one that is free")
    said = "whose first line is the password that --host asks for; without it one is made and printed"
    reached.add_argument("--password-file", type=Path, metavar="FILE", help=said)
    most = "visitors who are served at a time, at most; without it what the machine carries"
    reached.add_argument("--most", type=command.number(int, least=1), metavar="N", help=most)
    keeping = flags.add_argument_group("what becomes of answers; without these nothing is stored")
    kept = "where signs go that visitors record or correct, if they allow it: the --videos of learn.py"
    keeping.add_argument("--keep", type=Path, metavar="FOLDER", help=kept)
    keeping.add_argument("--signer", metavar="NAME", help="who signs, where several people are recorded there")
    command.add_runtime(flags)
    args = flags.parse_args(argv)
    if args.signer and not args.keep:
        flags.error("--signer says whose signs --keep keeps, which is missing")
    return args


def main(argv=None) -> int:
    args = parse_arguments(argv)
    try:
        return show(args)
    except KeyboardInterrupt:
        print("webdemo.py: stopped", file=sys.stderr)
        return command.STOPPED


def show(args) -> int:
    """Open what is asked for, in the order of how soon each can say no; then answer until Ctrl-C."""
    try:
        from signs.web import addresses, memory, server
    except ModuleNotFoundError as error:
        if error.name not in EXTRA:
            raise
        raise Problem(f'{error.name} is not installed; pip install ".[web]"') from None
    memory.few_arenas()
    model, place = find_model(args.model), addresses.find_place(args.host, args.port)
    password = choose_password(args.password_file, place.secure)
    keeper, own = open_keeping(args.keep, args.signer)
    with server.open_socket(place.host, place.port) as opened:
        place = addresses.find_place(args.host, opened.getsockname()[1])
        site = prepare_site(place, password, keeper, own, functools.partial(load, model, args.runtime), args.most)
        site.teacher = make_teacher(own.folder, model, args.runtime) if own else None
        server.serve(site, opened, functools.partial(greet, site, None if args.password_file else password))
    return command.DONE


def open_keeping(folder: Path | None, signer: str | None):
    """(what keeps corrected signs, where visitors record signs of their own) in a folder, None each where there is
    none. In a folder of one folder for each sign nobody is asked what he allows, so nothing is recorded there."""
    from signs.web.own_folder import OwnFolder

    if folder is None:
        return None, None
    recorded = (folder / TABLE).exists() or (folder / CONSENT).exists()
    if folder.exists() and not recorded and (folder.is_file() or any(folder.glob("[!.]*"))):
        return open_keeper(folder, signer), None
    return open_keeper(folder, signer) if signer else None, OwnFolder(folder)


def make_teacher(videos: Path, model: Path, runtime: str):
    """What learns from a folder of recordings: the model that is shown, where learn.py made it, else model/ and
    data_set/ with that folder's name."""
    from signs.web.teacher import Teacher

    name, root = videos.resolve().name, Path(__file__).resolve().parent
    own = model.is_dir() and is_bundle(model) and LEARNT in load_bundle(model).about
    taught = model if own else Path("model") / name
    first = None if taught.resolve() == model.resolve() else (model.name, functools.partial(load, model, runtime))
    return Teacher(root, videos, Path("data_set") / name, taught, functools.partial(load, taught, runtime), first)


def choose_password(path: Path | None, secure: bool) -> str | None:
    """The password of a page that others can reach; raises Problem where it is too short."""
    if path is None:
        return "-".join(secrets.token_hex(2) for _ in range(4)) if secure else None
    lines = path.read_text(encoding="utf-8").splitlines()
    if not lines or len(lines[0]) < SHORTEST:
        raise Problem(f"{path}: its first line is the password, and has fewer than {SHORTEST} characters")
    return lines[0]


def load(model: Path, runtime: str) -> Recogniser:
    """For one visitor at a time."""
    recogniser = Recogniser.load(model, runtime, live=True)
    check_camera(recogniser.bundle)
    recogniser.warm_up()
    return recogniser


def prepare_site(place, password: str | None, keeper, own, opener, most: int | None):
    """Load the model once, measure it, and bring together what the page needs; says how many are served."""
    from signs.web.access import Access
    from signs.web.application import Site
    from signs.web.capacity import carries, measure
    from signs.web.keeping import Keeping
    from signs.web.lobby import Lobby
    from signs.web.model_card import make_card
    from signs.web.seats import Seats
    from signs.web.uploads import Uploads

    loaded = [opener()]
    seconds, card = measure(loaded[0]), make_card(loaded[0], keeper, own)
    count, frames = carries(seconds, most)
    people = command.counted(count, "visitor")
    print(f"serves {people} at a time: a frame takes {1000 * seconds:.0f} ms of a core", flush=True)
    lobby = Lobby(Seats(lambda: loaded.pop() if loaded else opener(), count), frames, Keeping(keeper, own), own=own)
    return Site(place, Access(password), lobby, card, Uploads(opener))


def greet(site, password: str | None, fingerprint: str) -> None:
    """Say where the page is; `password` is one that was made here."""
    print(f"open {site.place.address(site.access.token)}", flush=True)
    if password:
        print(f"password {password}", flush=True)
    if fingerprint:
        print(f"certificate, SHA-256 {fingerprint}", flush=True)
        print("a browser warns of it once, as nobody has signed it: compare this line, then go on", flush=True)


if __name__ == "__main__":
    sys.exit(command.run(main))
