"""Copies of a data set that lies elsewhere, told by its list: below file://, without a server."""

from pathlib import Path

from signs.clips import cached_copy

import pytest


def test_a_new_list_of_as_many_names_is_another_list(tmp_path, monkeypatch):
    """A clip that is a folder of pictures takes another one's place while the process goes on."""
    pytest.importorskip("fsspec", reason="no fsspec; pip install -r requirements-test.txt")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    clips = tmp_path / "there" / "video" / "train" / "001"
    (clips / "one").mkdir(parents=True)
    (clips / "one" / "00001.jpg").write_bytes(b"four")
    store = cached_copy.opened(Path(f"file://{tmp_path / 'there'}")) / "video"
    one, two = (store / "train" / "001" / name for name in ("one", "two"))
    assert cached_copy.size(one) == 4 and not cached_copy.exists(two)
    (clips / "one").rename(clips / "two")
    cached_copy.list_again(store)
    assert cached_copy.size(two) == 4 and not cached_copy.exists(one)
