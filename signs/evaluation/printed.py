"""What an evaluation prints, and the confusion matrices that it leaves beside."""

from dataclasses import replace
from pathlib import Path

from signs import command
from signs.clips import dataset
from signs.evaluation import findings
from signs.evaluation.published import COLUMNS, Row
from signs.inference.predictions import Predictions, titles, write_counts

WORST = 5  # signs and people named in a line


def write_confusions(folder: Path, split: str, predictions: Predictions, names: list[str]) -> None:
    """A table and a picture of each stream."""
    from signs.evaluation import plots

    for stream, title in titles(predictions.streams).items():
        counts = predictions.confusion(stream)
        path = folder / f"confusion-{split}-{stream}.csv"
        write_counts(path, counts, predictions.labels)
        plots.write_confusion(counts, names, f"{title}, {split}", path.with_suffix(".png"))


def print_scores(results: dict, folder: Path) -> None:
    """Table 1's shape: inputs by row, splits by column; percent."""
    splits = [split for split in dataset.SPLITS if split in results]
    heads, rows = ["input"], []
    for split in splits:
        first = next(iter(results[split].streams.values()))
        heads += [f"{split} top-1\n{first['groups']} {first['over']}", f"{split} top-5"]
    for stream, title in titles(results[splits[0]].streams).items():
        rows.append([title])
        for split in splits:
            score = results[split].streams[stream]
            low, high = score["intervals"]["top1"]
            top1 = f"{100 * score['top1']:.2f} {100 * low:.0f}-{100 * high:.0f}"
            rows[-1] += [top1, f"{100 * score['top5']:.2f}"]
    counted = ", clips that are no sign counted too" if any(result.signs for result in results.values()) else ""
    command.print_table(heads, rows, f"{folder}: accuracy in percent, 95 % intervals{counted}")


def print_failures(predictions: Predictions, score: dict, names: dict[str, str], idle: frozenset[str]) -> None:
    """Who and what is recognised worst, one line each, as the page has it; idle: labels that are no gesture."""
    apart, people, _, judged = findings.judge(predictions, score, idle)
    for person in apart:
        taken = f", {person.times} of them as {names[person.taken_for]}" if person.taken_for else ""
        look = "look at how this person stands in the picture, light and distance"
        print(command.one_line(f"{person.signer}: {person.wrong} of {person.clips} clips fail{taken}: {look}"))
    rows = [row for row in judged["classes"] if row["clips"] and row["label"] not in idle]
    signs = [(names[row["label"]], row) for row in sorted(rows, key=lambda row: row["recall"])]
    named = [(row["signer"], row) for row in people] if len(people) > 1 else []
    for title, rows in ((f"signs{' of the others' if apart else ''}", signs), ("people", named)):
        worst = [f"{name} {row['right']}/{row['clips']}" for name, row in rows if row["right"] < row["clips"]]
        if worst:
            print(command.one_line(f"worst {title}: {', '.join(worst[:WORST])}"))


def print_published(beside: dict | None) -> None:
    """What others published on the data set, and ours; `published.beside`. Sources stand below, and columns that nobody
    fills are left out: 80 columns do."""
    if beside is None:
        return
    table = [Row(**row) for row in beside["rows"]]
    if table:
        title = f"published on {beside['name']}, percent: {beside['protocol']}"
        sources = list(dict.fromkeys(row.source for row in table if row.source))
        numbers = {source: f"({number})" for number, source in enumerate(sources, 1)}
        cells = [replace(row, source=numbers.get(row.source, "")).cells for row in table]
        kept = [at for at in range(len(COLUMNS) - 1) if {row[at] for row in cells} != {"-"}]
        bold = [index for index, row in enumerate(table) if row.ours]
        heads, rows = [COLUMNS[at] for at in kept], [[row[at] for at in kept] for row in cells]
        command.print_table(heads, rows, title, left=("input", "source"), bold=bold)
        print("\n".join(f"{number} {source}" for source, number in numbers.items()))
    for note in beside["notes"]:
        print(command.one_line(f"note: {note}"))
