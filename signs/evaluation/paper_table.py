"""Table 1 of Sarhan & Frintrop (2020): what others reached on ChaLearn LAP IsoGD, and our rows beside them.

All numbers are top-1 accuracies in percent on the whole split (5,784 clips of validation, 6,271 of test). The same
weights score 4 to 5 points more on test than on validation, so each split has its column and a gap stays a gap.
"""

import itertools
from dataclasses import dataclass

from signs import command
from signs.inference.predictions import TITLES

LABELS = [f"{number:03d}" for number in range(1, 250)]  # the classes that the published numbers are for
CLIPS = {"valid": 5784, "test": 6271}
PAPER_SPLITS = {"valid": "validation", "test": "test"}
COLUMNS = ("method", "input", *PAPER_SPLITS.values())


@dataclass(frozen=True)
class Row:
    """stream: rgb, flow or both; valid, test: percent, as precise as known; ours: of this repository."""

    method: str
    stream: str
    valid: str = "-"
    test: str = "-"
    ours: bool = False

    @property
    def cells(self) -> list[str]:
        return [self.method, TITLES[self.stream], self.valid, self.test]


PUBLISHED = [
    # As Table 1 of Sarhan & Frintrop has them, ICIP 2020.
    Row("ASU", "rgb", "45.07"),
    Row("SYSU_ISEE", "rgb", "47.29"),
    Row("XDETVP", "rgb", "51.31"),
    Row("I3D-SLR (Sarhan & Frintrop 2020)", "rgb", "54.63", "57.73"),
    Row("ASU", "flow", "44.45"),
    Row("XDETVP", "flow", "45.30"),
    Row("I3D-SLR (Sarhan & Frintrop 2020)", "flow", "54.84", "57.68"),
    Row("SYSU_ISEE", "both", "41.65"),
    Row("I3D-SLR (Sarhan & Frintrop 2020)", "both", "62.09", "64.44"),
    # After the paper, RGB alone.
    Row("later: 3DCDC-NAS (TIP 2021)", "rgb", "58.88", "62.89"),
    Row("later: UMDR (TPAMI 2023), 16 frames", "rgb", "60.6"),
    Row("later: UMDR (TPAMI 2023), 32 frames", "rgb", "63.7"),
    Row("later: UMDR (TPAMI 2023), 64 frames", "rgb", "64.4"),
]


def markdown_table(rows: list[Row], notes: list[str]) -> str:
    """A Markdown table, our rows in bold, and a line for each note."""
    lines = ["# Top-1 accuracy in percent", "", f"| {' | '.join(COLUMNS)} |", "|---|---|---:|---:|"]
    for row in rows:
        shown = [f"**{cell}**" if row.ours and cell != "-" else cell for cell in row.cells]
        lines.append(f"| {' | '.join(shown)} |")
    return "\n".join([*lines, "", *(f"* {note}" for note in notes)]) + "\n"


def print_table(rows: list[Row], notes: list[str]) -> None:
    """The same on the terminal, a blank line between two inputs."""
    lines, bold = [], []
    for before, row in itertools.pairwise([rows[0], *rows]):
        if row.stream != before.stream:
            lines.append([])
        bold += [len(lines)] * row.ours
        lines.append(row.cells)
    command.print_table(COLUMNS, lines, "top-1 accuracy in percent", left=("input",), bold=bold)
    for note in notes:
        print(f"* {note}")
