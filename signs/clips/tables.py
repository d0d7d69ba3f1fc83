"""Tables that people write: CSV with a comma, a semicolon or a tab between values, heads in any capitals.

for line, row in tables.read_rows(path, required=("video",), optional=("label",), synonyms={"path": "video"}): ...
"""

import csv
import io
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path

from signs.command import Problem
from signs.console import listed, one_line

SEPARATORS = ",;\t"
AS_CSV = "save it as CSV in UTF-8"
# First bytes of what is taken for a table now and then.
FOREIGN = {
    b"PK\x03\x04": f"an Excel workbook or a zip archive; {AS_CSV}",
    b"\xd0\xcf\x11\xe0": f"an Excel workbook; {AS_CSV}",
    b"\xff\xfe": f"not a text file in UTF-8 but in UTF-16; {AS_CSV}",
    b"\xfe\xff": f"not a text file in UTF-8 but in UTF-16; {AS_CSV}",
}
Row = dict[str | None, str]


def read_rows(
    path: Path, required: Collection[str], optional: Collection[str] = (), synonyms: Mapping[str, str] | None = None
) -> Iterator[tuple[int, Row]]:
    """(number of the line, {column: value}) of each row; under None what stands behind the last column.

    Columns of these names come in lower case, whatever the table's capitals; `synonyms` are other names for them. The
    rest keep their heads. Raises Problem where the file is no such table.
    """
    reader = csv.reader(io.StringIO(text := read_text(path), newline=""), delimiter=separator(text))
    try:
        heads = [head.strip() for head in next(reader, [])]
        columns = name_columns(path, heads, [*required, *optional], synonyms or {})
        if missing := [name for name in required if name not in columns]:
            seen = listed([one_line(head, 40) for head in heads]) or "nothing"
            raise Problem(f"{path}: no column {', '.join(missing)}; found {seen}")
        for values in reader:
            if any(value.strip() for value in values):  # spreadsheets leave rows of separators at the end
                row: Row = dict(zip(columns, values, strict=False))
                missing_values = dict.fromkeys(columns[len(values) :], "")
                yield reader.line_num, {**row, **missing_values, None: " ".join(values[len(columns) :]).strip()}
    except csv.Error as error:
        raise Problem(f"{path}: not a CSV table ({error})") from None


def read_text(path: Path) -> str:
    """The text of a table; raises Problem where the file is no text in UTF-8."""
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise Problem(f"{path}: no such file") from None
    if what := next((what for start, what in FOREIGN.items() if content.startswith(start)), None):
        raise Problem(f"{path}: {what}")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise Problem(f"{path}: not a text file in UTF-8; {AS_CSV}") from None
    if "\0" in text:
        raise Problem(f"{path}: not a text file in UTF-8, it holds zero bytes; {AS_CSV}")
    if text.lstrip()[:1] in ("{", "["):
        raise Problem(f"{path}: JSON, as it seems; expected a CSV table: a line of column names, then a line per row")
    return text


def separator(text: str) -> str:
    """What stands between the values of a table: what its first line has most of."""
    first = text.partition("\n")[0]
    return max(SEPARATORS, key=first.count)


def name_columns(path: Path, heads: list[str], known: list[str], synonyms: Mapping[str, str]) -> list[str]:
    """The heads, those of known columns by their names; raises Problem where two columns may be the same one."""
    columns = [head.lower() if head.lower() in known else head for head in heads]
    for name in known:
        others = [head for head in heads if synonyms.get(head.lower()) == name]
        if name not in columns and len(others) > 1:
            raise Problem(f"{path}: columns {' and '.join(others)} may each be the {name}; name the right one {name}")
        if name not in columns and others:
            columns[heads.index(others[0])] = name
        if columns.count(name) > 1:
            raise Problem(f"{path}: {columns.count(name)} columns are called {name}; expected one")
    return columns
