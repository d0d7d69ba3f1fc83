"""bench_web.py counts as another's answer what is, and nothing else: also when a visitor comes back to his session."""

import asyncio
import time
from urllib.parse import urlsplit

from signs.web import visit

import pytest
from served import NAMES, Guest, frame_of, serving

import bench_web

STAMP = 8  # bytes of a frame's time


@pytest.fixture
def visitor(monkeypatch):
    """One who shows a picture of one brightness."""
    monkeypatch.setattr(visit, "COUNTDOWN", 0.05)
    monkeypatch.setattr(visit, "RECORDING", 0.25)
    with serving(seats=1) as served:
        page = bench_web.Page.__new__(bench_web.Page)  # the server is there already
        page.address = urlsplit(served.address)
        yield bench_web.Visitor(page, [(frame_of(20, 0.0)[STAMP:], 0.0)], NAMES[0], Guest(served).cookie)


def sign(visitor: bench_web.Visitor, stay: float) -> None:
    asyncio.run(visitor.visit(time.monotonic() + 30, stay))


def test_who_comes_back_at_once_goes_on_with_his_answers(visitor):
    sign(visitor, 0.5)
    heard = len(visitor.told)
    assert heard
    sign(visitor, 0.5)  # before the server has noticed that he went
    assert len(visitor.told) > heard and {*visitor.told} == {NAMES[0]}
    assert len(visitor.latencies) == len(visitor.told) and visitor.foreign == 0


def test_an_answer_that_was_never_told_is_counted(visitor):
    sign(visitor, 0.5)
    visitor.told.pop()
    visitor.told.append("another's")
    sign(visitor, 0.5)
    assert visitor.foreign
