"""A shared model from a Hub, into this user's cache: the same files that share.py's zip holds.

    folder = fetched(Address("anna/greetings"))     Problem where it cannot be had, or is not what it says

    ~/.cache/signs/hub/<owner>--<name>/<commit>/    the model's files
                                       commits.json {revision: commit}, as they were asked for

The list of files is read first, with their sizes: nothing is brought that manifest.py does not know, or that is larger
than it may be. manifest.json comes next, and each other file must be what it says before anything parses it. A commit
never changes, so a model that is here once needs no network, and no huggingface_hub.
"""

import json
import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

from signs import command
from signs.clips.bounded_zip import AGAIN
from signs.clips.cache import private_folder, remove
from signs.clips.names import safe_name
from signs.command import Problem
from signs.inference import hub
from signs.inference.address import COMMIT, Address
from signs.inference.hub import MAIN, Unreachable
from signs.inference.manifest import (
    MANIFEST,
    WHOLE,
    check_kind,
    difference,
    holds,
    most_bytes,
    read_manifest,
    write_manifest,
)

COMMITS = "commits.json"
MOST_LISTED = 5000  # files and folders of a repository
USUAL = ("README.md", ".gitattributes")  # of every repository
TRIES, WAIT = 5, 1.0  # of a file, and seconds before the second one
_BROUGHT: list[tempfile.TemporaryDirectory] = []  # where the cache cannot be written; gone with the process


def say(text: str) -> None:
    """Beside the answers, which stand on the standard output."""
    print(command.one_line(text), file=sys.stderr)


def fetched(address: Address) -> Path:
    """A folder with the files of a shared model, each of which is the one that its manifest.json names."""
    place = [] if hub.endpoint() == hub.DEFAULT else [safe_name(urlsplit(hub.endpoint()).netloc)]
    try:
        root = private_folder("hub", *place, address.name.replace("/", "--"))
    except OSError:
        _BROUGHT.append(tempfile.TemporaryDirectory(prefix="signs-", ignore_cleanup_errors=True))
        root = Path(_BROUGHT[-1].name)
    with command.lock(root, wait=True):
        pinned = Address(address.name, find_commit(address, root))
        folder, part = root / pinned.revision, root / f".{pinned.revision}.part"
        if not is_whole(folder):
            remove(folder)
            bring(pinned, part)
            os.replace(part, folder)
    return folder


def find_commit(address: Address, root: Path) -> str:
    """The commit of an address: its own; or the one of the first time, where it names no revision; or what that
    revision is now, and without a network what it was last time."""
    if COMMIT.fullmatch(address.revision):
        return address.revision
    commits, revision = read_commits(root / COMMITS), address.revision or MAIN
    if address.revision or revision not in commits:
        try:
            commits[revision] = hub.commit_of(address)
            command.write_text(root / COMMITS, json.dumps(commits, indent=1) + "\n")
        except Unreachable as problem:
            if revision not in commits:
                raise
            say(f"{str(problem).rpartition(';')[0]}: it stays what it was last time")
    newer = "" if address.revision else f"; hf://{address.name}@{MAIN} asks for a newer one"
    say(f"{address} is commit {commits[revision]}{newer}")
    return commits[revision]


def read_commits(path: Path) -> dict[str, str]:
    """{revision: commit}; empty where nothing was asked for, or the file is damaged."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        return {name: commit for name, commit in content.items() if COMMIT.fullmatch(commit)}
    except (OSError, ValueError, TypeError, AttributeError):
        return {}


def is_whole(folder: Path) -> bool:
    """Whether a folder has all files of a model as they were brought."""
    try:
        return not folder.is_symlink() and holds(folder, read_manifest((folder / MANIFEST).read_bytes(), folder))
    except (OSError, Problem):
        return False


def bring(address: Address, folder: Path) -> None:
    """Download a commit's files into a folder, whatever of them an earlier run left there."""
    listed = list_files(address)
    if folder.is_symlink() or any(path.is_dir() for path in map(folder.joinpath, listed)) or folder.is_file():
        remove(folder)
    folder.mkdir(mode=0o700, exist_ok=True)
    (folder / MANIFEST).unlink(missing_ok=True)  # the hash of this one nobody knows
    Download(address, folder).bring(MANIFEST, *listed[MANIFEST])
    files = read_manifest((folder / MANIFEST).read_bytes(), address)
    for name, (size, digest) in files.items():
        if name not in listed:
            raise Problem(f"{address}: {name} is missing, as {MANIFEST} says; {AGAIN}")
        there, known = listed[name]
        if there != size or known not in (None, digest):
            raise Problem(f"{address}: {name} is not the file that {MANIFEST} names; it was changed: {AGAIN}")
    for path in folder.rglob("*"):
        if path.is_symlink() or path.is_file() and path.relative_to(folder).as_posix() not in files:
            path.unlink()
    with command.progress("bytes", beside=True) as bar:
        task = bar.add_task(address.name, total=sum(size for size, _ in files.values()))
        download = Download(address, folder, lambda count: bar.update(task, completed=count))
        for name, (size, digest) in files.items():
            download.bring(name, size, digest)
    (folder / MANIFEST).write_bytes(write_manifest(files))


def list_files(address: Address) -> dict[str, tuple[int, str | None]]:
    """{name: (bytes, SHA-256 where the Hub knows it)} of a commit's files that a shared model may have; raises Problem
    where one is too large, or all are."""
    entries, others = {}, []
    hub.commit_of(address)  # says soon where there is no network, or no such commit
    with hub.answers(address):
        tree = hub.connect().list_repo_tree(address.name, recursive=True, revision=address.revision)
        for number, entry in enumerate(tree):
            if number == MOST_LISTED:
                raise Problem(f"{address}: more than {MOST_LISTED:,} files; no model that share.py wrote")
            if not hasattr(entry, "size"):
                continue  # a folder
            if most_bytes(entry.path) is None:
                others.append(entry.path)
            else:
                entries[entry.path] = (int(entry.size), entry.lfs.sha256 if entry.lfs else None)
    if MANIFEST not in entries:
        raise Problem(f"{address}: no {MANIFEST} in it, so no model that share.py wrote")
    for name, (size, _) in entries.items():
        check_kind(name, size, address)
    total = sum(size for size, _ in entries.values())
    if len(entries) > WHOLE.members or total > WHOLE.total:
        most = f"at most {WHOLE.members:,} and {WHOLE.total:,}"
        raise Problem(f"{address}: {len(entries):,} files of {total:,} bytes, {most} are read; {AGAIN}")
    if others := [name for name in others if name not in USUAL]:
        say(f"{address}: left there, as no part of a model: {command.listed(others)}")
    return entries


class Download:
    """Files of a commit, each into the same place below a folder.

    show: called with the bytes that are there of all files so far.
    """

    def __init__(self, address: Address, folder: Path, show: Callable[[int], object] = lambda count: None):
        self.address, self.folder, self.show, self.done = address, folder, show, 0

    def bring(self, name: str, size: int, digest: str | None) -> None:
        """Download a file, going on where an earlier try ended; raises Problem where it is another one."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
        for begun in (path.stat().st_size > 0, False):
            if path.stat().st_size > size:
                path.write_bytes(b"")
            self._bring_rest(name, path, size)
            what = difference(path, size, digest) if digest else ""
            if not what:
                break
            path.write_bytes(b"")
            if not begun:  # else its first half may have been of something else
                raise Problem(f"{self.address}: {name}: {what}; it was changed, or damaged on the way: try again")
        self.done += size
        self.show(self.done)

    def _bring_rest(self, name: str, path: Path, size: int) -> None:
        """Download what is missing of a file; a connection that breaks is opened again some times."""
        for tried in range(1, TRIES + 1):
            try:
                self._append(name, path, size)
                break
            except Unreachable:
                if tried == TRIES:
                    raise
                time.sleep(WAIT * tried)

    def _append(self, name: str, path: Path, size: int) -> None:
        """Download what is missing of a file over one connection, and not a byte more than its size."""
        begin = path.stat().st_size
        if begin == size:
            return
        library, where = hub.library(), f"{self.address}: {name}"
        url = library.hf_hub_url(self.address.name, name, revision=self.address.revision, endpoint=hub.endpoint())
        headers = {**library.utils.build_hf_headers(library_name=hub.NAME), "Accept-Encoding": "identity"}
        headers |= {"Range": f"bytes={begin}-"} if begin else {}
        with hub.answers(self.address), library.get_session().stream("GET", url, headers=headers) as response:
            if url.startswith("https:") and response.url.scheme != "https":
                raise Problem(f"{where} leads to {response.url.host} without https; try again")
            library.utils.hf_raise_for_status(response)
            with open(path, "ab" if response.status_code == 206 else "wb") as file:
                for chunk in response.iter_bytes():
                    if file.tell() + len(chunk) > size:
                        raise Problem(f"{where} is larger than the {size:,} bytes that were said; it was changed")
                    file.write(chunk)
                    self.show(self.done + file.tell())
                if file.tell() < size:
                    raise Problem(f"{where} ends after {file.tell():,} of {size:,} bytes; try again")
