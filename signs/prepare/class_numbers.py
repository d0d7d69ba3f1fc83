"""Whether labels and a class table count from the same number."""

from collections.abc import Iterable

from signs.command import Problem


def check_start(labels: Iterable[str], classes: Iterable[str], table: str) -> None:
    """Raise Problem where labels count from 0 and the classes of a table from 1: each would be its neighbour's."""
    numbers, known = ({int(text) for text in each if text.isascii() and text.isdigit()} for each in (labels, classes))
    if 0 in numbers and known and min(known) == 1 and max(known) not in numbers:
        raise Problem(
            f"labels count from 0 (0 to {max(numbers)}), the classes of {table} from 1 (1 to {max(known)}): each would "
            "be taken for its neighbour; add 1 to every label"
        )
