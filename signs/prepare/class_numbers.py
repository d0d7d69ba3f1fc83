"""Whether labels and a class table count from the same number."""

from collections.abc import Iterable, Mapping

from signs.command import Problem


def check_start(places: Mapping[str, str], classes: Iterable[str], table: str) -> None:
    """Raise Problem where labels count from 0 and the classes of a table from 1: each would be its neighbour's.

    `places`: of each label a row that has it.
    """
    numbers = {int(label): where for label, where in places.items() if label.isascii() and label.isdigit()}
    known = {int(label) for label in classes if label.isascii() and label.isdigit()}
    if 0 in numbers and min(known, default=0) == 1 and max(known) not in numbers:
        raise Problem(
            f"{numbers[0]}: label 0: labels count from 0 (to {max(numbers)}), the classes of {table} from 1 (to "
            f"{max(known)}): each would be taken for its neighbour; add 1 to every label"
        )
