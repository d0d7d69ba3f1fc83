"""Orders about a sent video that no page sends."""

from types import SimpleNamespace

from signs.clips.dataset import Label
from signs.web.sent_answers import SentAnswers

import pytest


@pytest.mark.parametrize("value", (1.0, True, -1, 3, "1", [], {}, None))
def test_a_choice_is_a_whole_number_and_nothing_else(value):
    sent = SentAnswers()
    answer = SimpleNamespace(ranked=[("a", 0.6), ("b", 0.4)], known=True)
    sent.said(answer, SimpleNamespace(classes=[Label("a", "a"), Label("b", "b")]), None)
    assert sent.obey({"do": "choose", "value": value})["truth"] is None
    assert sent.obey({"do": "choose", "value": 1})["truth"] == "b"
