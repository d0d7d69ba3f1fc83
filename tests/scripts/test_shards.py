"""`--shards`: a store's archives on a storage in a few tars, read there as they lie on the disc; below file://."""

import json
import re
import shutil
import tarfile
from pathlib import Path

from signs import command
from signs.clips import cached_copy, done_list, object_storage, shard_writer, shards, storage
from signs.clips.dataset import load_dataset
from signs.command import Problem

import pytest

import frame
import tiny

FLAGS = ["--frames", "6", "--short-side", "32", "--workers", "1"]
STORE = "frame-6x32"


@pytest.fixture(scope="module")
def framed(tmp_path_factory) -> Path:
    """A data set on the disc with its frames."""
    pytest.importorskip("fsspec", reason="no fsspec; pip install -r requirements-test.txt")
    data = tiny.data_set(tmp_path_factory.mktemp("prepared")).folder
    assert frame.main(["--data", str(data), *FLAGS]) == command.DONE
    return data


@pytest.fixture
def here(framed, tmp_path, monkeypatch) -> Path:
    """That data set, of a user without a cache; shards hold two or three of its clips."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    size = sum(path.stat().st_size for path in (framed / STORE).rglob("*.zip"))
    monkeypatch.setattr(shard_writer, "SIZE", size / 3)
    return shutil.copytree(framed, tmp_path / "here")


@pytest.fixture
def there(tmp_path) -> Path:
    """The folder behind the address."""
    return tmp_path / "there"


def extract(data: Path | str, *more: str) -> int:
    return command.run(lambda: frame.main(["--data", str(data), *FLAGS, *more]))


def pack(here: Path, there: Path) -> int:
    return extract(here, "--shards", f"file://{there}")


def tars(there: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in (there / STORE).glob("*.tar")}


def archives(folder: Path) -> dict[str, bytes]:
    return {name: content for name, content in tiny.contents(folder / STORE).items() if name.endswith(".zip")}


def read(there: Path) -> dict[str, bytes]:
    """Every archive, as whoever trains has it."""
    data, found = load_dataset(Path(f"file://{there}")), {}
    for item in data.clips:
        path = item.archive(data.folder, STORE)
        with cached_copy.held(path):
            found[done_list.name_of(item)] = path.read_bytes()
    return found


def test_what_is_read_is_what_lies_on_the_disc(here, there, tmp_path):
    assert pack(here, there) == command.DONE
    names = {path.name for path in (there / STORE).iterdir()}
    assert names == {*tars(there), shards.INDEX, done_list.NAME} and 1 < len(tars(there)) < 6
    assert read(there) == archives(here)
    data = load_dataset(Path(f"file://{there}"))
    assert data.clips == load_dataset(here).clips, "so a training draws the same order"
    assert storage.find_stored(data, "frame") == storage.find_stored(load_dataset(here), "frame")
    for path in (there / STORE).glob("*.tar"):
        with tarfile.open(path) as tar:
            tar.extractall(tmp_path / "unpacked" / STORE, filter="data")
    assert archives(tmp_path / "unpacked") == archives(here)
    cut = max((item.archive(data.folder, STORE) for item in data.clips), key=cached_copy.size)
    cut.unlink()
    assert storage.read_info(cut) is not None and not cut.exists(), "a look into a clip brings its ends alone"


def test_what_is_there_is_not_sent_again(here, there, monkeypatch):
    assert pack(here, there) == command.DONE
    before, sent, send = tiny.contents(there), [], object_storage.send
    monkeypatch.setattr(object_storage, "send", lambda *what: sent.append(what[1]) or send(*what))
    assert pack(here, there) == command.DONE
    assert tiny.contents(there) == before and not [name for name in sent if name.endswith(".tar")]


def test_one_clip_that_changed_changes_its_shard_alone(here, there):
    assert pack(here, there) == command.DONE
    before, data = tars(there), load_dataset(Path(f"file://{there}"))
    read(there)
    copies = {item.clip: item.archive(data.folder, STORE).stat().st_ino for item in data.clips}
    item = load_dataset(here).clips[1]
    path = item.archive(here, STORE)
    storage.write_archive(path, storage.read_archive(path).images[:, ::-1], storage.read_info(path) | {"more": 1})
    assert pack(here, there) == command.DONE
    assert len(before.keys() & tars(there).keys()) == len(before) - 1 == len(tars(there)) - 1
    assert read(there) == archives(here)
    again = {item.clip: item.archive(data.folder, STORE).stat().st_ino for item in data.clips}
    assert [clip for clip in copies if copies[clip] != again[clip]] == [item.clip], "other copies stay"


def test_a_run_there_has_nothing_to_do_and_a_new_archive_counts_before_the_shard(here, there, capsys):
    assert pack(here, there) == command.DONE
    before = tiny.contents(there)
    assert extract(f"file://{there}") == command.DONE
    assert "6 of 6 clips are there already" in capsys.readouterr().out and tiny.contents(there) == before
    shutil.copytree(here / "video", there / "video")
    changed, other = (load_dataset(here).clips[place] for place in (0, 2))
    shutil.copyfile(other.video(there), changed.video(there))
    table = there / "clips.csv"
    table.write_text(table.read_text(encoding="utf-8").replace(changed.sha256, other.sha256), encoding="utf-8")
    assert extract(f"file://{there}") == command.DONE
    assert "5 of 6 clips are there already" in capsys.readouterr().out
    made, before = archives(there), archives(here)
    assert len(made) == 1 and read(there) == before | made != before
    assert pack(here, there) == command.DONE
    assert not archives(there) and read(there) == archives(here)


def test_damage_is_named_and_mended(here, there, tmp_path):
    assert pack(here, there) == command.DONE
    name, content = max(tars(there).items(), key=lambda each: len(each[1]))
    shard, index = there / STORE / name, there / STORE / shards.INDEX
    archive = archives(here)[next(iter(shards_of(index)[name]))]
    wrong = bytearray(content)
    wrong[content.index(archive) + len(archive) // 2] ^= 1
    shard.write_bytes(wrong)
    with pytest.raises(Problem, match=rf"^file://.*{name}: other bytes than its index says; delete it, and run"):
        read(there)
    shard.unlink()
    assert pack(here, there) == command.DONE and read(there) == archives(here)
    shutil.rmtree(tmp_path / "cache")
    shard.write_bytes(content[:-1024])
    with pytest.raises(Problem, match=rf"^file://.*{name}: not there, or cut short; run the step again with --shards"):
        read(there)
    assert pack(here, there) == command.DONE and read(there) == archives(here)
    for text, said in (("[1", "damaged"), ('{"format": 2, "shards": {}}', "of another version")):
        index.write_text(text)
        with pytest.raises(Problem, match=f"^file://.*shards.json: {said}"):
            read(there)
    assert pack(here, there) == command.DONE and read(there) == archives(here)


def shards_of(index: Path) -> dict[str, dict]:
    return {name: archives for name, (_, archives) in json.loads(index.read_text())["shards"].items()}


def test_a_shard_that_cannot_be_sent_leaves_what_was_there(here, there, monkeypatch, capsys):
    assert pack(here, there) == command.DONE
    before = archives(here)
    path = load_dataset(here).clips[0].archive(here, STORE)
    storage.write_archive(path, storage.read_archive(path).images[:, ::-1], storage.read_info(path))

    def refuse(*what):
        raise Problem("no room there")

    real = object_storage.send
    with monkeypatch.context() as broken:
        broken.setattr(
            object_storage, "send", lambda content, to: (refuse if to.endswith(".tar") else real)(content, to)
        )
        assert pack(here, there) == command.PARTLY
    assert "no room there" in capsys.readouterr().err
    assert read(there) == before


@pytest.mark.parametrize("refused", ["clips.csv", shards.INDEX, done_list.NAME])
def test_after_a_stop_the_shards_that_are_there_are_not_sent_again(here, there, monkeypatch, capsys, refused):
    """Credentials that end after the last shard: the clips are done, so the exit code is 1, and little is left."""
    shutil.rmtree(here / STORE)
    real, sent = object_storage.send, []

    def send(content, to):
        if to.endswith(refused) and sent:
            raise Problem(f"{to}: they ended")
        sent.append(Path(to).suffix)
        return real(content, to)

    with monkeypatch.context() as broken:
        broken.setattr(object_storage, "send", send)
        assert pack(here, there) == command.PARTLY
    said = capsys.readouterr()
    assert "6 clips, 36 frames" in said.out and re.search(f"{refused}: they ended\n1 not done .* 6 done", said.err)
    assert sent.count(".tar") == 3
    assert pack(here, there) == command.DONE and "6 clips in 3 shards, 0 sent now" in capsys.readouterr().out
    assert read(there) == archives(here)


def test_clips_that_are_done_elsewhere_stay(here, there, monkeypatch, capsys):
    """Each of two machines has a split, or this one has deleted its store."""
    whole = archives(here)
    for splits in (["train"], ["valid", "test"]):
        shutil.rmtree(here / STORE)
        assert extract(here, "--shards", f"file://{there}", "--split", *splits) == command.DONE
    assert "3 clips there, not done here, left as found" in capsys.readouterr().out
    assert read(there) == whole
    assert extract(f"file://{there}") == command.DONE
    assert "6 of 6 clips are there already" in capsys.readouterr().out
    shutil.rmtree(here / STORE)
    (here / "video").rename(here / "video away")
    assert pack(here, there) == command.NOTHING
    assert "no clip is done, so nothing is sent" in capsys.readouterr().out
    assert read(there) == whole
    (here / "video away").rename(here / "video")
    monkeypatch.setattr(shard_writer, "SIZE", 1e9)
    assert pack(here, there) == command.DONE
    assert read(there) == archives(here) == whole
    names = {name for shard in shards_of(there / STORE / shards.INDEX).values() for name in shard}
    assert names == set(whole) and {*tars(there)} == {*shards_of(there / STORE / shards.INDEX)}


@pytest.mark.parametrize("moment", [".tar", "clips.csv"])
def test_two_machines_send_to_one_address(here, there, tmp_path, monkeypatch, moment):
    """The other one has one clip less and another one changed, and sends while this one is at its first shard or table:
    the later run's clips count, the store is whole, and what the other one alone has stays."""
    other = shutil.copytree(here, tmp_path / "other")
    item = load_dataset(here).clips[1]
    path = item.archive(other, STORE)
    storage.write_archive(path, storage.read_archive(path).images[:, ::-1], storage.read_info(path) | {"more": 1})
    load_dataset(here).clips[3].archive(here, STORE).unlink()
    real, begun = object_storage.send, []

    def send(content, to):
        if to.endswith(moment) and not begun:
            begun.append(to)
            with monkeypatch.context() as patch:
                patch.setenv("XDG_CACHE_HOME", str(tmp_path / "another machine"))
                assert pack(other, there) == command.DONE
        return real(content, to)

    monkeypatch.setattr(object_storage, "send", send)
    monkeypatch.setattr(frame, "extract", lambda *what: 1 / 0)  # the clip that is not done here fails
    assert pack(here, there) == command.PARTLY and begun
    assert {*tars(there)} == {*shards_of(there / STORE / shards.INDEX)}
    assert read(there) == archives(other) | archives(here) and read(there) != archives(other)


def test_where_another_run_always_comes_between(here, there, monkeypatch, capsys):
    real = shard_writer._finish
    monkeypatch.setattr(
        shard_writer, "_finish", lambda *what: real(*what) or (there / STORE / shards.INDEX).write_text("[")
    )
    assert pack(here, there) == command.PARTLY
    assert "another run sends there at the same time; wait for it, then run" in capsys.readouterr().err
    monkeypatch.undo()


def test_another_data_set_is_not_written_over(here, there, tmp_path, capsys):
    assert pack(here, there) == command.DONE
    before, other = tiny.contents(there), shutil.copytree(here, tmp_path / "other")
    table = other / "clips.csv"
    table.write_text(re.sub("[0-9a-f]{64}", lambda found: found[0][::-1], table.read_text(encoding="utf-8")), "utf-8")
    capsys.readouterr()
    assert pack(other, there) == command.NOTHING
    assert "another data set is there, with none of these clips; name another place" in capsys.readouterr().err
    assert tiny.contents(there) == before


def test_a_dry_run_writes_nothing_there(here, there):
    shutil.rmtree(here / STORE)
    assert extract(here, "--shards", f"file://{there}", "--dry-run") == command.DONE
    assert not there.exists()


def test_a_place_that_cannot_be_written_is_refused_before_the_work(here, there, monkeypatch, capsys):
    shutil.rmtree(here / STORE)
    there.mkdir()

    def refuse(content, to):
        raise Problem(f"{to}: not for you")

    with monkeypatch.context() as broken:
        broken.setattr(object_storage, "send", refuse)
        assert pack(here, there) == command.NOTHING
        assert "nothing can be written there: file://" in capsys.readouterr().err and not (here / STORE).exists()


@pytest.mark.parametrize(
    "spoil",
    [
        lambda shard, row: row.__setitem__(0, -5),
        lambda shard, row: row.__setitem__(0, 1.5),
        lambda shard, row: row.__setitem__(1, "12"),
        lambda shard, row: row.__setitem__(1, 10**13),
        lambda shard, row: row.pop(),
        lambda shard, row: shard.__setitem__(1, list(shard[1])),
        lambda shard, row: shard[1].__setitem__("../../../x.zip", row),
    ],
)
def test_an_index_that_no_step_wrote_is_damaged_and_mended(here, there, spoil):
    assert pack(here, there) == command.DONE
    index = there / STORE / shards.INDEX
    content = json.loads(index.read_text())
    shard = next(iter(content["shards"].values()))
    spoil(shard, next(iter(shard[1].values())))
    for text in (json.dumps(content), "[" * 100_000):
        index.write_text(text)
        with pytest.raises(Problem, match=r"^file://.*shards.json: damaged; run the step again with --shards"):
            read(there)
    assert pack(here, there) == command.DONE and read(there) == archives(here)


def test_a_place_in_the_index_that_is_another_clips_is_mended(here, there, tmp_path, capsys):
    assert pack(here, there) == command.DONE
    index = there / STORE / shards.INDEX
    content = json.loads(index.read_text())
    row = next(iter(next(iter(content["shards"].values()))[1].values()))
    row[0] += 512
    index.write_text(json.dumps(content))
    with pytest.raises(Problem, match="other bytes than its index says"):
        read(there)
    capsys.readouterr()
    assert pack(here, there) == command.DONE and read(there) == archives(here)
    assert "0 sent now" in capsys.readouterr().out, "the index alone was wrong"


def test_places_where_shards_are_not_sent(here, tmp_path, capsys):
    before = archives(here)
    (tmp_path / "link").symlink_to(here)
    for address, said in (
        (f"file://{here}", "the data set's own folder"),
        (f"file://{tmp_path}/link", "the data set's own folder"),
        ("memory://x/y", "gone when this command ends"),
        ("s3://bucket", "a whole bucket; name a folder in it, such as s3://bucket/"),
    ):
        assert extract(here, "--shards", address) == command.NOTHING
        assert said in capsys.readouterr().err
    assert archives(here) == before


@pytest.mark.parametrize("address", ["there", "http://there/x"])
def test_what_is_no_address_is_refused_before_the_work(here, address, capsys):
    shutil.rmtree(here / STORE)
    assert extract(here, "--shards", address) == command.NOTHING
    assert f"--shards {address}: no address of a storage" in capsys.readouterr().err
    assert not (here / STORE).exists()


def test_a_data_set_on_a_storage_is_not_packed_there(here, there, capsys):
    assert pack(here, there) == command.DONE
    assert extract(f"file://{there}", "--shards", f"file://{there}") == command.NOTHING
    assert "is on a storage already" in capsys.readouterr().err
