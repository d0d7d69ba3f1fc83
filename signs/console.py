"""What stands on the screen: lines of at most 300 characters, equal reasons folded, tables, progress bars."""

import itertools
import os
import re
import sys
import unicodedata
from collections.abc import Container, Iterable, Sequence

LONGEST = 300  # characters of a line
FEW = 3  # lines of one kind that are printed each by itself
KINDS = 30  # of lines that are printed
VARIES = re.compile(r"'[^']*'|\S*[\d/\\]\S*")  # what lines of one kind differ in: quoted words, numbers, paths
TURNING = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")  # they turn the text beside them round


def open_closed() -> None:
    """Where the caller has closed the standard input, output or error (`2>&-`), nothing there stands in for it."""
    for number, console, mode in ((0, "stdin", "r"), (1, "stdout", "w"), (2, "stderr", "w")):
        if getattr(sys, console) is None:
            os.dup2(os.open(os.devnull, os.O_RDWR), number)
            setattr(sys, console, os.fdopen(number, mode, closefd=False))


def printable(text: str) -> str:
    """The text with escapes (`\\x1b`) for what would end its line, move the cursor or turn other text round: a file
    may have any name."""
    if text.isprintable():
        return text
    kinds = {each: unicodedata.category(each) for each in set(text)}
    return "".join(ascii(each)[1:-1] if kinds[each] in ("Cc", "Zl", "Zp") or each in TURNING else each for each in text)


def one_line(text: str, most: int = LONGEST) -> str:
    """The text as one printable line of at most so many characters: of a longer one the middle is left out, as a line
    begins with what it is about and ends with what to do."""
    text = printable(text[: 2 * most] + text[-2 * most :] if len(text) > 4 * most else text)
    end = most // 3
    return text if len(text) <= most else f"{text[: most - end - 5]} ... {text[-end:]}"


def listed(names: Sequence[str], most: int = 12) -> str:
    """`a, b, c and 5 more`"""
    rest = len(names) - most
    return ", ".join(names[:most]) + (f" and {rest} more" if rest > 0 else "")


def folded(failed: Sequence[tuple[str, str]]) -> tuple[list[str], bool]:
    """(name, reason) of all that failed -> lines to print, and whether they name every one.

    Reasons that differ in numbers, paths and quoted words alone are of one kind. Of many of a kind the first has a line
    `name: reason` and a second line counts and names others.
    """
    kinds: dict[str, list[tuple[str, str]]] = {}
    for name, reason in failed:
        kinds.setdefault(VARIES.sub("", reason.partition("\n")[0]), []).append((name, reason))
    shown, left = list(kinds.values())[:KINDS], list(kinds.values())[KINDS:]
    lines, whole = [], not left
    for alike in shown:
        alone = len(alike) if len(alike) <= FEW else 1
        lines += [_failure(name, reason) for name, reason in alike[:alone]]
        if rest := len(alike) - alone:
            others = list(dict.fromkeys(name for name, _ in alike if name != alike[0][0]))
            fitting = _fitting(others)
            names = f": {listed(others, fitting)}" if fitting else ""
            lines.append(f"  and {rest:,} more like it{names}")
            whole &= fitting == rest
    if left:
        lines.append(f"  and {sum(map(len, left)):,} more for {len(left):,} other reasons")
    return lines, whole


def _failure(name: str, reason: str) -> str:
    """`name: reason`, and all of a traceback below the reason."""
    first, end, traceback = reason.partition("\n")
    return one_line(f"  {name}: {first}") + end + traceback


def _fitting(names: Sequence[str], most: int = 12) -> int:
    """How many of the names, 12 at most, fit into a line beside some words."""
    lengths = itertools.accumulate(len(name) + 2 for name in names[:most])
    return sum(length <= LONGEST - 60 for length in lengths)


def print_table(
    columns: Sequence[str],
    rows: Iterable[Sequence[str | int]],
    title: str = "",
    left: Container[str] = (),
    bold: Container[int] = (),
) -> None:
    """Print a table as wide as the terminal allows, with `title` as a line above it.

    Args:
        columns: the heads; the first column and those named in `left` are flush left, the rest, numbers, flush right.
        rows: cells; whole numbers get thousands separators, an empty row is a blank line.
        bold: numbers of the rows to stress, the first is 0.
    """
    from rich import box, console, table

    shown = table.Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False, show_edge=False)
    for number, column in enumerate(columns):
        justify = "left" if number == 0 or column in left else "right"
        shown.add_column(column, justify=justify, overflow="fold")
    for number, row in enumerate(rows):
        cells = (f"{cell:,}" if isinstance(cell, int) else printable(cell) for cell in row)
        shown.add_row(*cells, style="bold" if number in bold else None)
    # Labels and paths are text: `[a]` is no markup and `:a:` no emoji.
    screen = console.Console(markup=False, emoji=False, highlight=False)
    if title:
        screen.print(one_line(title), soft_wrap=True)
    screen.print(shown, "")


def progress(unit: str = "items"):
    """One rich progress bar with time left, of items or of bytes; on a dumb terminal it prints only its last state."""
    from rich import progress as parts

    count = parts.DownloadColumn() if unit == "bytes" else parts.MofNCompleteColumn()
    times = parts.TimeElapsedColumn(), "left", parts.TimeRemainingColumn()
    return parts.Progress("{task.description}", parts.BarColumn(), count, *times)
