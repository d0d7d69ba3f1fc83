"""bench_formats.py: what it generates is what the adapters read, and no row is lost."""

import pytest

import bench_formats


@pytest.mark.parametrize(("key", "count"), [("wlasl", 12), ("ms-asl", 18), ("jester", 30)])
def test_generated_lists_are_read(tmp_path, monkeypatch, capsys, key, count):
    import prepare_videos

    def run(flags, output, kill_after=None):
        """In this process; a killed run is none at all."""
        if kill_after is None:
            capsys.readouterr()
            assert prepare_videos.main([*flags, "--output", str(output)]) in (0, 1)
            (output.parent / "said.txt").write_text(capsys.readouterr().err)
        return 2.0, 1.0, 10.0

    monkeypatch.setattr(bench_formats, "run", run)
    total = sum(bench_formats.FORMATS[key].rows[max(bench_formats.FORMATS[key].rows)].values())
    row = bench_formats.measure(key, count / total, tmp_path, "hardlink", 1)
    assert row["rows"] == count and row["lost"] == 0 and row["clips"] > 1 and row["same_after_kill"]
    assert (row["not_done"] > 0) == (key != "jester") and row["resumed_s"] == 2 and not list(tmp_path.iterdir())
