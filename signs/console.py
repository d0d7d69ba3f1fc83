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
FORMULA = re.compile(r"[\s']*[=+\-@＝＋－＠]")  # how one begins in a spreadsheet, and what shown_cell made of one
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


def shown_cell(text: str) -> str:
    """A text for a table that people open in a spreadsheet, where `=`, `+`, `-` and `@` would begin a formula: an
    apostrophe before it keeps it a text."""
    return f"'{text}" if FORMULA.match(text) else text


def read_cell(text: str) -> str:
    """The text that `shown_cell` got; of a table that it never saw, the cell as it is."""
    return text[1:] if text[:1] == "'" and FORMULA.match(text) else text


def counted(number: int, one: str, many: str = "") -> str:
    """`1 clip`, `2 clips`; `many` where that is not `one` with an s."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


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
    """Print a table as wide as the terminal allows, with `title` as a line above it and, where names are too long for
    it, numbers in their place and the names below it.

    Args:
        columns: the heads; the first column and those named in `left` are flush left, the rest, numbers, flush right.
        rows: cells; whole numbers get thousands separators, an empty row is a blank line.
        bold: numbers of the rows to stress, the first is 0.
    """
    from rich import box, console, table

    # Labels and paths are text: `[a]` is no markup and `:a:` no emoji.
    screen = console.Console(markup=False, emoji=False, highlight=False)
    cells = [[f"{cell:,}" if isinstance(cell, int) else printable(cell) for cell in row] for row in rows]
    names = [number for number, column in enumerate(columns) if number == 0 or column in left]
    legend, widths = _number_names(columns, cells, names, screen.width)
    shown = table.Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False, show_edge=False)
    for number, column in enumerate(columns):
        justify = "left" if number in names else "right"
        shown.add_column(column, justify=justify, overflow="fold", width=widths and widths[number])
    for number, row in enumerate(cells):
        shown.add_row(*row, style="bold" if number in bold else None)
    if title:
        screen.print(one_line(title), soft_wrap=True)
    screen.print(shown, *(["", *legend] if legend else []), "", sep="\n", soft_wrap=bool(legend))


def _number_names(
    columns: Sequence[str], cells: list[list[str]], names: Sequence[int], width: int
) -> tuple[list[str], list[int] | None]:
    """Where the rows are wider than the screen: names that do not fit become numbers in `cells`; (the lines that tell
    which name each is, widths of the columns). Else nothing."""
    from rich.cells import cell_len

    def widest(number: int, head: Sequence[str], broken: bool = False) -> int:
        texts = [row[number] for row in cells if row]
        return max(map(cell_len, [*head, *(" ".join(texts).split() if broken else texts)]))

    every, gaps = range(len(columns)), 2 * (len(columns) - 1)
    if sum(widest(number, columns[number].split("\n")) for number in every) + gaps <= width:
        return [], None
    # Heads and names may be broken at blanks, numbers may not.
    least = [widest(number, columns[number].split(), number in names) for number in every]
    left = width - gaps - sum(least[number] for number in every if number not in names)
    room, legend = max(left // len(names), 5), []
    if sum(least[number] for number in names) > left:
        numbers: dict[str, str] = {}
        for row in filter(None, cells):
            for number in names:
                if max(map(cell_len, row[number].split()), default=0) > room:
                    row[number] = numbers.setdefault(row[number], f"({len(numbers) + 1})")
        least = [widest(number, columns[number].split(), number in names) for number in every]
        legend = [one_line(f"{mark} {name}") for name, mark in numbers.items()]
    for number in every:
        spare = max(0, width - gaps - sum(least))
        least[number] += min(spare, widest(number, columns[number].split("\n")) - least[number])
    return legend, least


def progress(unit: str = "items", beside: bool = False):
    """One rich progress bar with time left, of items or of bytes; on a dumb terminal it prints only its last state.
    beside: on the standard error, where the standard output is for answers."""
    from rich import console
    from rich import progress as parts

    count = parts.DownloadColumn() if unit == "bytes" else parts.MofNCompleteColumn()
    times = parts.TimeElapsedColumn(), "left", parts.TimeRemainingColumn()
    screen = console.Console(stderr=True) if beside else None
    return parts.Progress("{task.description}", parts.BarColumn(), count, *times, console=screen)
