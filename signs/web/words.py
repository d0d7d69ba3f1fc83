"""The words of the page: one table, words.json, {language: {name: text}}; whoever adds a language adds one column.

words = words_for("de-CH, en;q=0.5")
"""

import functools
import json
from pathlib import Path

FIRST = "en"  # it has all words; another language has what is translated


@functools.cache
def table() -> dict[str, dict[str, str]]:
    return json.loads(Path(__file__).with_name("words.json").read_text(encoding="utf-8"))


def language_of(accepted: str) -> str:
    """The first language of an Accept-Language that the table has."""
    for wish in accepted.split(","):
        language = wish.partition(";")[0].strip().lower()
        for name in (language, language.partition("-")[0]):
            if name in table():
                return name
    return FIRST


def words_for(accepted: str) -> dict[str, str]:
    return {**table()[FIRST], **table()[language_of(accepted)]}
