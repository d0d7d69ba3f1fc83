"""What the paths of videos say of them: `{label}/{signer}_{take}`, of `hello/anna_1.mp4` label hello and signer anna.

    pattern = PathPattern("{label}/{signer}_{take}")
    pattern.read("hello/anna_1.mp4")            {"label": "hello", "signer": "anna"}, or None where it does not fit

Words in braces stand for any text without `/`, as short as it can be; `label`, `signer` and `split` are kept, also
under the other names that a table's columns may have.
"""

import argparse
import re
from pathlib import PurePosixPath

READ = ("label", "signer", "split")
SYNONYMS = {
    **dict.fromkeys(("gloss", "sign", "class", "word", "gesture"), "label"),
    **dict.fromkeys(("person", "subject", "speaker", "signer_id", "participant"), "signer"),
    **dict.fromkeys(("subset", "partition"), "split"),
}
EXAMPLE = {"label": "hello", "signer": "anna", "split": "train"}


class PathPattern:
    """A pattern of paths without suffix; raises argparse.ArgumentTypeError where it says nothing."""

    def __init__(self, text: str):
        self.text = text.replace("\\", "/").strip("/")
        pieces = re.split(r"\{([^{}]*)\}", self.text)
        literals, self.words = pieces[::2], known_words(text, pieces[1::2])
        if any("{" in piece or "}" in piece for piece in literals):
            raise argparse.ArgumentTypeError(f"{text!r}: a brace without its other one")
        if not set(self.words) & set(READ):
            raise argparse.ArgumentTypeError(
                f"{text!r}: expected {{signer}} in it, such as {{label}}/{{signer}}_{{take}}"
            )
        if any(not piece for piece in literals[1:-1]):
            raise argparse.ArgumentTypeError(f"{text!r}: nothing stands between two words, so where does one end?")
        expression = re.escape(literals[0])
        for number, (word, literal) in enumerate(zip(self.words, literals[1:], strict=True)):
            if word in self.words[:number]:
                expression += f"(?P=w{self.words.index(word)})"
            else:
                expression += f"(?P<w{number}>[^/]+?)"
            expression += re.escape(literal)
        self._expression = re.compile(expression)

    def __str__(self) -> str:
        return self.text

    def read(self, path: str, anywhere: bool = False) -> dict[str, str] | None:
        """{word: value} of the words of READ in a path with `/`; None where the path is no such one.

        `anywhere`: folders may stand in front that the pattern does not speak of.
        """
        name = PurePosixPath(path)
        parts = name.with_suffix("").parts if name.name else ()
        if anywhere:
            parts = parts[-len(self.text.split("/")) :]
        match = self._expression.fullmatch("/".join(parts))
        return match and {word: match[f"w{self.words.index(word)}"].strip() for word in READ if word in self.words}

    @property
    def forgotten(self) -> list[str]:
        """The words whose values are read and not kept."""
        return [word for word in dict.fromkeys(self.words) if word not in READ]

    def example(self) -> str:
        """A path that fits."""
        values = iter(self.words)
        return re.sub(r"\{[^{}]*\}", lambda _: EXAMPLE.get(next(values), "1"), self.text) + ".mp4"


def known_words(text: str, words: list[str]) -> list[str]:
    """The words of a pattern, synonyms by the names of READ; raises argparse.ArgumentTypeError where two may be one."""
    for name in READ:
        others = list(dict.fromkeys(word for word in words if SYNONYMS.get(word.lower(), word.lower()) == name))
        if name not in others and len(others) > 1:
            raise argparse.ArgumentTypeError(f"{text!r}: {' and '.join(others)} may each be the {name}")
        if name not in words:
            words = [name if word in others else word for word in words]
    return words
