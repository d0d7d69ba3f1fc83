"""What every script here shares as a command: flags, exit codes, one lock per output, atomic files, all cores.

A script's last line is `sys.exit(command.run(main))`. Its `main(argv=None)` returns the exit code: 0 all done, 1 done
except what was named, 2 nothing done and why. Whatever a user can mend is raised as `Problem`, whose text is one line
that says what was found, what was expected and what to do.
"""

import argparse
import contextlib
import csv
import difflib
import errno
import functools
import hashlib
import io
import math
import operator
import os
import re
import shutil
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

from signs import child_process
from signs.cluster import Cluster

# Every script knows them as `command.listed`, ...: handed on.
from signs.console import counted, folded, listed, one_line, open_closed, print_table, progress, shown_cell  # noqa: F401
from signs.errors import Problem, describe, is_expected, traceback_of
from signs.estimate import Cost, Estimator, Forecast, Spent, bytes_of, guarded
from signs.workers import Lost, processes, run_jobs

DONE, PARTLY, NOTHING, STOPPED = 0, 1, 2, 130
LONG = 10  # seconds; a run that will take longer says so at its start
# An address of an object storage as a flag has it; a path folds the slashes into one.
STORAGE = re.compile(r"(s3|gs|file|memory):/+(?=[^/])", re.IGNORECASE)
VERSION = "?versionId="  # in an S3 address: one of an object's versions
HUB = re.compile(r"hf:/+(?=[^/])", re.IGNORECASE)
ADDRESSES = "hf://owner/name, s3://bucket/name, gs:// or file://"
ANY_ADDRESS = re.compile(r"\s*\w[\w+.-]+://")  # of one letter it is a disc of Windows
Below = dict[str, tuple[list[str], list[str]]]  # {a folder: the names of the folders and of the files in it}
# What may run the networks: runtime.py has them, but --help does not wait for it.
OPENVINO = ("openvino-int8", "openvino-bf16", "openvino", "stream-int8", "stream-bf16", "stream")
RUNTIMES = ("auto", "keras", *OPENVINO, "onnx", "litert")


class _Help(argparse.ArgumentDefaultsHelpFormatter, argparse.RawDescriptionHelpFormatter):
    def _get_help_string(self, action):
        return action.help if action.default in (None, "", False) else super()._get_help_string(action)


class _Parser(argparse.ArgumentParser):
    def __init__(self, *arguments, **how):
        super().__init__(*arguments, **how)
        self.register("type", Path, _path)
        self.from_storage = {"data", "model"}  # flags that take an address of an object storage
        self.from_hub = {"model"}  # flags that take one of a Hub

    def parse_args(self, *arguments, **how):
        args = super().parse_args(*arguments, **how)
        for name, value in vars(args).items():
            for path in value if isinstance(value, list) else [value]:
                if isinstance(path, Path):
                    self._check_place(name, path)
        return args

    def _check_place(self, name: str, path: Path) -> None:
        """End with one line where a flag takes no address of this kind: a folder of that name would be made."""
        address = storage_address(path)
        if HUB.match(path.as_posix()) and name not in self.from_hub:
            address = HUB.sub("hf://", path.as_posix())
        elif name in self.from_storage:
            address = ""
        if address:
            where = "has to be on a disc of this machine (docs/scale.md says what need not)"
            self.error(f"--{name.replace('_', '-')} {address}: {where}")

    def error(self, message):
        message = re.sub("^argument (?=--)(.*?): ", "\\1 ", message)
        if unknown := re.match("unrecognized arguments: --([^ =]+)", message):
            message += self._meant(unknown[1])
        raise Problem(f"{message}; see {self.prog} --help")

    def _meant(self, name: str) -> str:
        """Which flag a person may have meant by one that is not there: it sets that value, or is spelt alike."""
        for action in self._actions:  # a flag that sets several values has `written`: options.add_spread
            if flag := getattr(action, "written", {}).get(name.replace("-", "_")):
                return f"; {flag} sets that"
        alike = difflib.get_close_matches(f"--{name}", self._option_string_actions, 1, 0.75)
        return f"; {alike[0]} is spelt alike" if alike else "; flags of earlier versions: CHANGELOG.md"


def parser(doc: str) -> argparse.ArgumentParser:
    """An argument parser that prints the script's own docstring and every default."""
    return _Parser(description=doc, formatter_class=_Help, allow_abbrev=False)


def _path(text: str) -> Path:
    if not text:
        raise argparse.ArgumentTypeError("'': no path; a shell's variable was empty")
    if ANY_ADDRESS.match(text) and not (STORAGE.match(text) or HUB.match(text)):
        raise argparse.ArgumentTypeError(f"{text[:120]!r}: no address; expected {ADDRESSES}, or a path")
    return Path(text)


def storage_address(path: Path | str) -> str:
    """The address on an object storage that a path is, `s3://bucket/name`; empty of a folder or a file of a disc."""
    text = Path(path).as_posix()
    if not (start := STORAGE.match(text)):
        return ""
    scheme = start[1].lower()
    names = text[start.end() :].split("/")
    if scheme == "s3" and VERSION in text:
        text = f"s3://{text[start.end() :][:120]}"
        raise Problem(f"{text}: no address; the newest version alone is read and written, so leave {VERSION} out")
    if {".", ".."} & {*names} or any(len(name.encode("utf-8", "surrogateescape")) > 255 for name in names):
        raise Problem(f"{text[:120]}: no address; expected {scheme}://bucket/name, each name of at most 255 bytes")
    return f"{scheme}://{'/' * (scheme == 'file')}{text[start.end() :]}"


def bounds_of(above=None, least=None, below=None, most=None) -> str:
    """`at least 0, below 1`"""
    bounds = {"above": above, "at least": least, "below": below, "at most": most}
    return ", ".join(
        f"{word} {bound if isinstance(bound, int) else f'{bound:g}'}"
        for word, bound in bounds.items()
        if bound is not None
    )


def number(kind: type = float, above=None, least=None, below=None, most=None) -> Callable[[str], float]:
    """An argparse type: a finite int or float within bounds; the error names them, `1.2: at least 0, below 1`."""

    limits = ((operator.gt, above), (operator.ge, least), (operator.lt, below), (operator.le, most))

    def read(text: str) -> float:
        value = kind(text)
        if not abs(value) < math.inf:
            raise argparse.ArgumentTypeError(f"{text}: no finite number")
        if all(holds(value, limit) for holds, limit in limits if limit is not None):
            return value
        raise argparse.ArgumentTypeError(f"{text}: {bounds_of(above, least, below, most)}")

    read.__name__ = kind.__name__  # argparse says it where the text is no number
    return read


def add_workers(flags: argparse.ArgumentParser) -> None:
    """`--workers`, with the meaning it has everywhere: joblib's `n_jobs`."""
    flags.add_argument("--workers", type=_workers, default=-1, metavar="N", help="processes; -1 is one a core")


def add_dry_run(flags: argparse.ArgumentParser) -> None:
    """`--dry-run` of whatever takes long."""
    say = "do a few clips in a temporary folder, say what all of them will take, and stop"
    flags.add_argument("--dry-run", action="store_true", help=say)


def add_threads(flags: argparse.ArgumentParser) -> None:
    """`--workers` of a script whose networks wait for clips."""
    most, threads = min(16, os.cpu_count() or 2), "threads that load clips; -1 is one a core"
    flags.add_argument("--workers", type=_threads, default=most, metavar="N", help=threads)


def _workers(text: str) -> int:
    if not re.fullmatch(r"-?[1-9]\d{0,3}", text, re.ASCII):
        raise argparse.ArgumentTypeError(f"{text}: at least 1, at most 9999, or -1")
    return int(text)


def _threads(text: str) -> int:
    return os.cpu_count() or 2 if text == "-1" else number(_workers, least=1)(text)


def add_seed(flags, text: str) -> None:
    """`--seed`, of what is drawn at random: as large as NumPy takes one."""
    flags.add_argument("--seed", type=number(int, least=0, most=2**32 - 1), default=0, metavar="N", help=text)


def add_runtime(flags: argparse.ArgumentParser) -> None:
    """`--runtime` of whatever predicts."""
    quickest = "what runs the networks; auto: the quickest form of export.py that agrees"
    flags.add_argument("--runtime", choices=RUNTIMES, default=RUNTIMES[0], help=quickest)


def is_confirmed(question: str) -> bool:
    """Whether somebody at the terminal says yes."""
    try:
        return input(f"{question} yes or no: ").strip().lower() in ("yes", "y")
    except EOFError:
        print()
        return False


def run(main: Callable[[], int | None]) -> int:
    """Call `main()` and turn what it raises into one line on stderr and an exit code."""
    name = Path(sys.argv[0]).name
    open_closed()
    child_process.watch_starter()
    for console in (sys.stdout, sys.stderr):
        if isinstance(console, io.TextIOWrapper):  # a console without `ß` shows `?`
            console.reconfigure(errors="replace")
    try:
        code = main() or DONE
        sys.stdout.flush()
        return code
    except KeyboardInterrupt:
        print(f"{name}: stopped; the same command goes on from here", file=sys.stderr)
        return STOPPED
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except Exception as error:
        if not is_expected(error):
            raise
        print(traceback_of(error) + one_line(f"{name}: {describe(error)}"), file=sys.stderr)
    return NOTHING


def lock(folder: Path, part: str = "", wait: bool = False) -> contextlib.AbstractContextManager:
    """Hold `folder` (made if missing), or a named part of it, for this run alone, until the `with` block ends; where
    another run has it, raise Problem, or wait for it."""
    import filelock

    folder.mkdir(parents=True, exist_ok=True)
    try:
        return filelock.FileLock(folder / (f".lock-{part}" if part else ".lock")).acquire(timeout=-1 if wait else 0)
    except filelock.Timeout:
        raise Problem(f"{folder}: another run is writing there; wait for it or choose another output") from None


@contextlib.contextmanager
def atomic(path: Path) -> Iterator[Path]:
    """A temporary path beside `path` to write to; it gets its real name only if the block ends well."""
    path.parent.mkdir(parents=True, exist_ok=True)
    # The suffix stays last: h5py, Keras and OpenCV choose the format by it.
    temporary = path.with_name(f".{path.name.split('.')[0]}.{os.getpid()}.part{''.join(path.suffixes)}")
    try:
        yield temporary
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def reserve(path: Path, size: int) -> None:
    """Take so many bytes of a disc, before HDF5 fills the file: it would crash where there is no room for them."""
    with open(path, "ab") as file:
        try:
            if size and hasattr(os, "posix_fallocate"):  # not on macOS and Windows
                os.posix_fallocate(file.fileno(), 0, size)
        except OSError as error:
            if error.errno not in (errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL):  # file systems that reserve nothing
                raise


def write_text(path: Path, text: str) -> None:
    """Write a file in UTF-8, whole or not at all."""
    with atomic(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def remove_leftovers(folder: Path, stem: str = r"[^.]*", deep: bool = True) -> Below:
    """Delete the temporary files of `atomic` that a killed run left in a folder, and below it; hold its lock.

    Each folder is listed once, as there may be fifty thousand names in it and the disc may be far away.

    Args:
        stem: a regular expression for what comes before the first dot of the files' whole names.

    Returns: what else lies there.
    """
    leftover, below = re.compile(rf"\.(?:{stem})\.\d+\.part(?:\..*)?"), {}
    for top, folders, files in os.walk(folder):
        for names in (folders, files):
            for name in filter(leftover.fullmatch, names.copy()):
                names.remove(name)
                path = Path(top, name)
                if path.is_dir() and not path.is_symlink():
                    shutil.rmtree(path)
                else:
                    path.unlink(missing_ok=True)
        below[top] = folders.copy(), files
        if not deep:
            break
    return below


def sha256(path: Path) -> str:
    """SHA-256 of a file's content, hexadecimal."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@dataclass
class Outcome:
    """What became of many jobs: `done` results in the order of the items, `failed` as (item name, one line), `noted` as
    (what is odd, item name) of what is no failure; how many items were `there` already, done by an earlier run.

    died: a process did, or may have; what it was writing then lies there half-written.
    """

    done: list = field(default_factory=list)
    failed: list[tuple[str, str]] = field(default_factory=list)
    noted: list[tuple[str, str]] = field(default_factory=list)
    there: int = 0
    died: bool = False

    def summary(self, full: Path | None = None) -> int:
        """Name what failed on stderr, equal reasons folded; the exit code that fits.

        `full`: a CSV for all of it and for what is noted, name and reason; it is there only if the screen does not name
        all that failed, or something is noted.
        """
        if full:
            full.unlink(missing_ok=True)
        lines, whole = folded(self.failed)
        where = "named above" if whole else "some named above"
        if full and (self.noted or not whole):
            with (
                atomic(full) as temporary,
                open(temporary, "w", newline="", encoding="utf-8", errors="backslashreplace") as file,
            ):
                noted = [(name, reason) for reason, name in self.noted]
                rows = [("name", "reason"), *self.failed, *noted]
                csv.writer(file).writerows(tuple(map(shown_cell, row)) for row in rows)
            where = f"all named in {full}"
        if not self.failed:
            return DONE
        print("\n".join(lines), file=sys.stderr)
        print(f"{len(self.failed):,} not done ({where}), {len(self.done):,} done", file=sys.stderr)
        return PARTLY if self.done or self.there else NOTHING

    def rehearsed(self) -> "Outcome":
        """Of a dry run: what went wrong is named and no failure, unless all of it did."""
        if self.done and self.failed:
            print(*folded(self.failed)[0], sep="\n", file=sys.stderr)
            self.failed = []
        return self


@contextlib.contextmanager
def noting(failed: list[tuple[str, str]], name: str) -> Iterator[None]:
    """Where the block raises a Problem, note it in `failed` as (name, its line) and go on behind the block."""
    try:
        yield
    except Problem as problem:
        failed.append((name, str(problem).removeprefix(f"{name}: ")))


def tell_forecast(bar, forecast: Forecast) -> None:
    """Say above a bar what a run will take, if that is long."""
    if forecast.wall >= LONG:
        bar.console.print(forecast.line("clip"), markup=False, highlight=False, soft_wrap=True)


def parallel(
    function: Callable,
    items: Iterable[tuple[str, object]],
    workers: int | Cluster,
    title: str,
    cost: Cost | None = None,
    dry_run: bool = False,
) -> Outcome:
    """`function(item)` for each (name, item) on all cores, under one progress bar; failures are named, not raised.

    Args:
        workers: processes, as joblib's `n_jobs`, or a cluster.
        cost: with it a long run says what it will take, as soon as the first items show that.
        dry_run: do no more items than show that, and say it.
    """
    items, results, forecast, deaths = list(items), {}, None, []
    if not items:
        return Outcome()
    spread = isinstance(workers, Cluster)
    at_once = workers.processes() if spread else processes(workers)
    run = workers.run_jobs if spread else functools.partial(run_jobs, workers=workers, deaths=deaths)
    estimator = Estimator([bytes_of(cost.size, item) if cost else 0 for _, item in items], at_once)
    with progress() as bar:
        task = bar.add_task(title, total=0)
        for numbers in estimator.rounds() if dry_run else [estimator.order]:
            bar.update(task, total=len(results) + len(numbers))
            jobs = [items[number][1] for number in numbers]
            for place, answer in run(functools.partial(guarded, function), jobs):
                number = numbers[place]
                bar.advance(task)
                *results[number], spent = (None, str(answer), Spent()) if isinstance(answer, Lost) else answer
                if cost and not forecast:
                    estimator.add(number, replace(spent, written=bytes_of(cost.written, items[number][1])))
                    forecast = estimator.forecast()
                    if forecast and not dry_run and len(results) < len(items):
                        tell_forecast(bar, forecast)
            if forecast:
                break
    if dry_run:
        print((forecast or estimator.forecast(whatever=True)).line("clip"))
    rows = [(items[number][0], *results[number]) for number in sorted(results)]
    done = [result for _, result, reason in rows if reason is None]
    failed = [(name, reason) for name, _, reason in rows if reason is not None]
    return Outcome(done, failed, died=spread or bool(deaths))  # what becomes of a cluster's processes, only it knows
