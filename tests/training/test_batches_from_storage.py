"""A training reads the same batches from an object storage as from a disc."""

from pathlib import Path

from signs.clips import cached_copy, storage
from signs.clips.dataset import load_dataset
from signs.clips.spec import ClipSpec, InputSpec, StoredSpec
from signs.training.point_batches import PointGenerator

import numpy as np
import pytest

import posed


def test_batches_from_a_storage(tmp_path, monkeypatch):
    pytest.importorskip("fsspec", reason="no fsspec; pip install -r requirements-test.txt")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    here = posed.data_set(tmp_path / "posed", clips=1)
    there = load_dataset(Path(f"file://{here.folder}"))
    assert there.folder != here.folder and there.clips == here.clips
    spec = ClipSpec(StoredSpec(landmark=storage.find_landmarks(there)), InputSpec(frames=12))
    labels, asked = [row.label for row in there.classes], []
    read_ahead = cached_copy.read_ahead
    monkeypatch.setattr(cached_copy, "read_ahead", lambda paths: asked.extend(paths) or read_ahead(paths))
    batches = [PointGenerator(data, data.clips, spec, labels, batch=5) for data in (here, there)]
    for number in range(3):
        for one, other in zip(batches[0][number], batches[1][number], strict=True):
            assert np.array_equal(one, other)
    ahead = [path for path in asked if isinstance(path, cached_copy.StandIn)]
    assert len(set(ahead)) == len(there.clips) - 5, "all but the first batch, before they are asked for"
