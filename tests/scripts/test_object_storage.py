"""Data sets on an object storage: prepared, read, bounded on this disc; and what a storage does wrong, in one line."""

import json
import re
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path

from signs import command
from signs.clips import cached_copy, copy_room, done_list, object_storage, storage
from signs.clips.dataset import load_dataset
from signs.clips.spec import StoredSpec
from signs.command import Problem

import numpy as np
import pytest

import frame
import opticalflow
import tiny
from s3_server import BUCKET, s3_server

FLAGS = ["--frames", "6", "--short-side", "32", "--workers", "1"]
STORE = "frame-6x32"
NAME = f"data set/{'ä' * 100}/🤟 signs of {'n' * 200}"  # names with spaces, emoji, 200 characters
ADDRESS = f"s3://{BUCKET}/{NAME}"
SHORT, PLAIN = "a set", f"s3://{BUCKET}/a set"  # a line of an error names all of it


@pytest.fixture(scope="module")
def server():
    with s3_server() as front:
        yield front


@pytest.fixture
def front(server, tmp_path, monkeypatch):
    """The server, empty, and a user of it without a cache."""
    speak(server, monkeypatch)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    for row in server.client.list_objects_v2(Bucket=BUCKET).get("Contents", []):
        server.client.delete_object(Bucket=BUCKET, Key=row["Key"])
    server.reset()
    yield server
    server.reset()


def speak(server, monkeypatch) -> None:
    """What a user sets to reach the server."""
    import s3fs

    for name, value in {"ACCESS_KEY_ID": "anna", "SECRET_ACCESS_KEY": "secret", "DEFAULT_REGION": "us-east-1"}.items():
        monkeypatch.setenv(f"AWS_{name}", value)
    monkeypatch.setenv("AWS_ENDPOINT_URL", server.address)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    s3fs.S3FileSystem.clear_instance_cache()


@pytest.fixture(scope="module")
def prepared(tmp_path_factory) -> Path:
    return tiny.data_set(tmp_path_factory.mktemp("prepared")).folder


@pytest.fixture(scope="module")
def unbroken(prepared) -> dict[str, bytes]:
    """The stores that runs on a disc make."""
    assert frame.main(["--data", str(prepared), *FLAGS]) == opticalflow.main(flow_flags(prepared)) == command.DONE
    return {path: content for path, content in tiny.contents(prepared).items() if path.startswith(("frame", "flow"))}


@pytest.fixture(scope="module")
def framed(prepared, unbroken) -> Path:
    """The data set with these stores."""
    return prepared


def flow_flags(data: Path | str) -> list[str]:
    return ["--data", str(data), "--method", "dis", "--workers", "1"]


def upload(front, folder: Path, name: str = NAME, only: str = "") -> None:
    for path, content in tiny.contents(folder).items():
        if path.startswith(("video", "clips.csv", "class.csv", only or "video")):
            front.client.put_object(Bucket=BUCKET, Key=f"{name}/{path}", Body=content)


def objects(front, name: str = NAME) -> dict[str, bytes]:
    """{path: content} of the archives below a name."""
    rows = front.client.list_objects_v2(Bucket=BUCKET, Prefix=f"{name}/fr").get("Contents", [])
    rows += front.client.list_objects_v2(Bucket=BUCKET, Prefix=f"{name}/fl").get("Contents", [])
    keys = [row["Key"] for row in rows if row["Key"].endswith(".zip")]
    return {
        key.removeprefix(f"{name}/"): front.client.get_object(Bucket=BUCKET, Key=key)["Body"].read() for key in keys
    }


def run(script, *argv: str) -> int:
    return command.run(lambda: script.main([*map(str, argv)]))


def extract(*more: str, address: str = ADDRESS) -> int:
    return run(frame, "--data", address, *FLAGS, *more)


def test_a_data_set_is_filled_on_a_storage_as_on_a_disc(front, prepared, unbroken, tmp_path, monkeypatch, capsys):
    upload(front, prepared)
    assert extract() == run(opticalflow, *flow_flags(ADDRESS)) == command.DONE
    assert objects(front) == unbroken
    said = capsys.readouterr().out
    assert f"-> {ADDRESS}/{STORE}" in said and "cache" not in said
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "another machine"))
    front.requests.clear()
    assert extract() == command.DONE
    assert "6 of 6 clips are there already" in capsys.readouterr().out
    # Lists, two tables and the list of what is done; not a question about a single clip.
    assert front.count("HEAD", ".zip") == front.count("GET", ".zip") == front.count("PUT") == 0
    assert front.count("GET", ".csv") == 2 and front.count("GET", done_list.NAME) == 1


def test_what_is_read_is_what_lies_there(front, prepared, unbroken):
    upload(front, prepared, only="frame")
    data = load_dataset(Path(ADDRESS))
    assert data.clips == load_dataset(prepared).clips and data.stores("frame") == [STORE]
    assert storage.find_stored(data, "frame") == StoredSpec("6", 32)
    front.requests.clear()
    for _ in range(2):
        for item, here in zip(data.clips, load_dataset(prepared).clips, strict=True):
            there = storage.read_archive(item.archive(data.folder, STORE))
            assert np.array_equal(there.images, storage.read_archive(here.archive(prepared, STORE)).images)
    assert front.count("GET", ".zip") == 6 and front.count("HEAD", ".zip") == 0
    front.client.put_object(Bucket=BUCKET, Key=f"{NAME}/{STORE}/train/001/a_1.zip", Body=b"another one")
    data = load_dataset(Path(ADDRESS))
    with pytest.raises(Problem, match=r"^s3://.*a_1\.zip: cut short or damaged"):
        storage.read_archive(data.clips[0].archive(data.folder, STORE))


def test_of_a_large_archive_two_ends_tell_what_it_is(front, prepared, unbroken, tmp_path):
    """Archives of pictures of the usual size are several times as large as both ends."""
    upload(front, prepared, only="frame")
    large, info = tmp_path / "large.zip", {"format": storage.FORMAT, "source": "a_1.avi"}
    picture = np.random.default_rng(0).bytes(3 * cached_copy.EDGE)
    storage.write_members(large, {"img_00001.jpg": picture}, info)
    front.client.put_object(Bucket=BUCKET, Key=f"{NAME}/{STORE}/train/001/a_1.zip", Body=large.read_bytes())
    data = load_dataset(Path(ADDRESS))
    path = data.clips[0].archive(data.folder, STORE)
    assert storage.read_info(path) == info
    assert front.count("GET", "a_1.zip") == 2 and not path.exists()


def test_a_clip_of_a_shard_is_one_request(front, prepared, unbroken):
    assert extract("--shards", ADDRESS, address=prepared) == command.DONE
    front.requests.clear()
    data = load_dataset(Path(ADDRESS))
    for _ in range(2):
        for item, here in zip(data.clips, load_dataset(prepared).clips, strict=True):
            there = storage.read_archive(item.archive(data.folder, STORE))
            assert np.array_equal(there.images, storage.read_archive(here.archive(prepared, STORE)).images)
    assert front.count("GET", ".tar") == 6 and front.count("GET", "shards.json") == 1
    assert front.count("HEAD") == front.count("GET", ".zip") == 0


def test_the_cache_is_bounded_and_keeps_what_is_in_use(front, prepared, unbroken, monkeypatch):
    upload(front, prepared, only="frame")
    data = load_dataset(Path(ADDRESS))
    paths = [item.archive(data.folder, STORE) for item in data.clips]
    largest = max(map(cached_copy.size, paths))
    monkeypatch.setenv(copy_room.LIMIT, str(3.5 * largest / 1e9))
    with cached_copy.held(paths[0]):
        for _ in range(2):
            for path in paths[1:]:
                storage.read_archive(path)
                assert sum(each.stat().st_size for each in paths if each.exists()) <= 3.5 * largest
        assert paths[0].exists()
        assert paths[-1].exists() and not paths[1].exists(), "what was read longest ago goes first"
        monkeypatch.setenv(copy_room.LIMIT, str(1.2 * largest / 1e9))
        with pytest.raises(Problem, match="full of what is being read; set SIGNS_CACHE_GB larger"):
            storage.read_archive(paths[1])
    monkeypatch.setenv(copy_room.LIMIT, "1e-6")
    with pytest.raises(Problem, match="does not go into a cache of"):
        storage.read_archive(paths[1])
    monkeypatch.setenv(copy_room.LIMIT, "-1")
    with pytest.raises(Problem, match="SIGNS_CACHE_GB=-1: expected gigabytes"):
        storage.read_archive(paths[1])


def test_copies_come_before_they_are_asked_for(front, prepared, unbroken):
    upload(front, prepared, only="frame")
    data = load_dataset(Path(ADDRESS))
    paths = [item.archive(data.folder, STORE) for item in data.clips]
    cached_copy.read_ahead([prepared, *paths, paths[0].with_name("not there.zip")])
    for path in paths:
        with cached_copy.held(path):
            assert path.exists()
    assert front.count("GET", ".zip") == 6


def test_a_half_written_object_is_named_and_made_again(front, prepared, unbroken, capsys):
    upload(front, prepared, only="frame")
    name = f"{STORE}/valid/002/b_1.zip"
    front.client.put_object(Bucket=BUCKET, Key=f"{NAME}/{name}", Body=unbroken[name][: len(unbroken[name]) // 2])
    data = load_dataset(Path(ADDRESS))
    with pytest.raises(Problem, match=r"^s3://.*b_1\.zip: cut short or damaged; delete it and run the step"):
        storage.read_archive(data.clips[3].archive(data.folder, STORE))
    assert extract() == command.DONE
    said = capsys.readouterr().out
    assert "5 of 6 clips are there already" in said and "1 clip, 6 frames" in said
    assert objects(front)[name] == unbroken[name]


def test_a_download_that_ends_half_way_leaves_nothing(front, prepared, unbroken, monkeypatch):
    upload(front, prepared, only="frame")
    monkeypatch.setattr(object_storage, "TRIES", 1)
    data = load_dataset(Path(ADDRESS))
    path = data.clips[3].archive(data.folder, STORE)
    front.cut = "b_1.zip"
    with pytest.raises(Problem, match=r"^s3://.*b_1\.zip"):
        storage.read_archive(path)
    assert not path.exists() and not list(copy_room.root().glob(f"{copy_room.PARTS}/*"))
    front.cut = ""
    assert len(storage.read_archive(path).images) == 6


def test_credentials_that_run_out_half_way(front, prepared, unbroken, capsys):
    upload(front, prepared, SHORT)
    load_dataset(Path(PLAIN))
    front.requests.clear()
    assert extract("--split", "train", address=PLAIN) == command.DONE
    front.refuse_after = 8
    assert extract(address=PLAIN) == command.PARTLY
    said = capsys.readouterr().err
    assert "does not let these credentials do that" in said and "renew them" in said
    front.reset()
    assert extract(address=PLAIN) == command.DONE
    assert set(objects(front, SHORT)) == {name for name in unbroken if name.startswith("frame")}


def test_wrong_credentials_and_none(front, prepared, capsys, monkeypatch):
    front.refuse_after, front.code = 0, "InvalidAccessKeyId"
    assert extract(address=PLAIN) == command.NOTHING
    said = capsys.readouterr().err
    assert said.count("\n") == 1 and "does not let these credentials do that" in said
    front.reset()
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    monkeypatch.setenv("HOME", "/nowhere")
    import s3fs

    s3fs.S3FileSystem.clear_instance_cache()
    assert extract(address=PLAIN) == command.NOTHING
    said = capsys.readouterr().err
    assert "credentials" in said and said.count("\n") == 1


def test_a_bucket_that_may_only_be_read(front, prepared, framed, capsys):
    """That is said before the clips are made, of a data set there and of shards."""
    upload(front, prepared, SHORT)
    shards, front.code, front.no_writing = f"s3://{BUCKET}/shards", "AccessDenied", True
    for data, more in ((PLAIN, ()), (framed, ("--shards", shards))):
        assert extract(*more, address=data) == command.NOTHING
        said = capsys.readouterr()
        assert re.search("^[^:]*: nothing can be written there: s3://.* does not let these credentials", said.err)
        assert said.err.count("\n") == 1 and "frames" not in said.out


def test_a_server_may_take_its_time_to_store_what_is_large(front, monkeypatch):
    monkeypatch.setattr(object_storage, "TIMES", object_storage.TIMES | {"read_timeout": 0.2})
    monkeypatch.setattr(object_storage, "LARGE", 100)
    front.wait = 0.5
    with pytest.raises(Problem, match="does not answer"):
        object_storage.send(bytes(100), f"s3://{BUCKET}/small")
    assert object_storage.send(bytes(101), f"s3://{BUCKET}/large").size == 101


def test_kill_while_a_shard_is_sent(front, framed, tmp_path, monkeypatch):
    """Then the same command sends what an unbroken one does, and nothing else is there, nor on this disc."""
    here, flags = shutil.copytree(framed, tmp_path / "here"), [*FLAGS, "--shards", f"s3://{BUCKET}/shards"]
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    line = [sys.executable, str(tiny.REPOSITORY / "frame.py"), "--data", str(here), *flags]
    front.wait = 0.5
    with subprocess.Popen(line) as process:
        while process.poll() is None and not front.count("PUT", ".tar"):
            time.sleep(0.02)
        process.kill()
    front.wait = 0
    time.sleep(0.6)  # the request that was under way
    assert not front.client.list_multipart_uploads(Bucket=BUCKET).get("Uploads")
    assert not list(tmp_path.rglob("*.tar")) and not list((here / STORE).rglob(".*.part*"))
    assert frame.main(["--data", str(here), *flags]) == command.DONE
    broken = contents(front, "shards")
    assert extract("--shards", f"s3://{BUCKET}/unbroken", address=here) == command.DONE
    assert broken == contents(front, "unbroken")


def contents(front, name: str) -> dict[str, bytes]:
    """{path: content} of all objects below a name."""
    rows = front.client.list_objects_v2(Bucket=BUCKET, Prefix=f"{name}/").get("Contents", [])
    keys = [row["Key"] for row in rows]
    return {key.removeprefix(name): front.client.get_object(Bucket=BUCKET, Key=key)["Body"].read() for key in keys}


def test_a_bucket_or_a_data_set_that_is_not_there(front, prepared, capsys):
    nowhere = "s3://nobody-has-this/data"
    for data, more in ((nowhere, ()), (prepared, ("--shards", nowhere))):
        assert extract(*more, address=data) == command.NOTHING
        assert re.search(f"{nowhere}[^:]*: not there, or there is no such bucket", capsys.readouterr().err)
    assert extract(address=f"s3://{BUCKET}/nothing") == command.NOTHING
    assert f"s3://{BUCKET}/nothing: not there" in capsys.readouterr().err
    assert extract(address=f"S3://{BUCKET}/nothing") == command.NOTHING
    assert f"s3://{BUCKET}/nothing: not there" in capsys.readouterr().err
    assert extract(address=f"s3://{BUCKET}/a/../b") == command.NOTHING
    assert "no address; expected s3://bucket/name" in capsys.readouterr().err
    # s3fs would write every object of the data set over the one before, as what follows is no part of a name to it.
    assert extract("--shards", f"s3://{BUCKET}/a?versionId=3", address=prepared) == command.NOTHING
    said = capsys.readouterr().err
    assert f"s3://{BUCKET}/a?versionId=3: no address; the newest version alone is read and written, so leave" in said


@pytest.mark.parametrize("listens", [False, True])
def test_an_address_where_nobody_answers(front, monkeypatch, capsys, listens):
    """Nobody listens there, or somebody who never says a word."""
    monkeypatch.setattr(object_storage, "TIMES", object_storage.TIMES | {"read_timeout": 0.2})
    assert object_storage.TRIES * max(object_storage.READ, object_storage.CONNECT) <= 20
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        if listens:
            silent.listen()
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{silent.getsockname()[1]}")
        assert extract(address=PLAIN) == command.NOTHING
    said = capsys.readouterr().err
    assert f"{PLAIN}: the storage does not answer" in said and said.count("\n") == 1


def test_a_video_that_is_gone_is_named_by_its_address(front, prepared, capsys):
    upload(front, prepared, SHORT)
    front.client.delete_object(Bucket=BUCKET, Key=f"{SHORT}/video/test/001/c_1.avi")
    assert extract(address=PLAIN) == command.PARTLY
    assert f"test/001/c_1: {PLAIN}/video/test/001/c_1.avi: no such file" in capsys.readouterr().err


def test_two_machines_fill_one_store(front, prepared, unbroken, tmp_path, monkeypatch, capsys):
    """They do some clips twice; none is damaged, as equal input gives equal bytes and each object comes at once."""
    upload(front, prepared)
    real, begun = frame.extract, []

    def extract_while_another_machine_does(item, *more):
        begun.append(item)
        if len(begun) == 3:
            with monkeypatch.context() as patch:
                patch.setenv("XDG_CACHE_HOME", str(tmp_path / "another machine"))
                assert extract() == command.DONE
        return real(item, *more)

    monkeypatch.setattr(frame, "extract", extract_while_another_machine_does)
    assert extract() == command.DONE
    assert len(begun) > 6
    assert objects(front) == {name: content for name, content in unbroken.items() if name.startswith("frame")}
    assert extract() == command.DONE
    assert "6 of 6 clips are there already" in capsys.readouterr().out


def test_what_has_to_be_on_a_disc(front, tmp_path, capsys):
    import prepare_videos
    import record
    import share
    import train_landmark

    for where in ("az://bucket/x", " s3://bucket/x", "s3://", "hf://"):
        assert run(share, "--model", tmp_path, "--output", where) == command.NOTHING
        assert f"{where!r}: no address; expected hf://owner/name, s3://" in capsys.readouterr().err
    for where in ("hf://anna/greetings", "S3://bucket/x"):
        assert run(train_landmark, "--data", "x", "--output", where) == command.NOTHING
        assert f"--output {where.lower()}: has to be on a disc of this machine" in capsys.readouterr().err
    for script, flags, flag in (
        (train_landmark, ["--data", "x", "--output", PLAIN], "--output"),
        (prepare_videos, ["--videos", str(tmp_path), "--output", PLAIN], "--output"),
        (record, ["--output", "x", "--delete-signer", "anna", "--data", PLAIN], "--data"),
    ):
        assert run(script, *flags) == command.NOTHING
        assert f"{flag} {PLAIN}: has to be on a disc of this machine" in capsys.readouterr().err
    assert not front.requests


def test_below_file_an_archive_is_written_whole(prepared, unbroken, tmp_path, monkeypatch, capsys):
    pytest.importorskip("fsspec")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    for path, content in tiny.contents(prepared).items():
        if path.startswith(("video", "cl")):
            (tmp_path / "there" / path).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / "there" / path).write_bytes(content)
    address = f"file://{tmp_path}/there"
    monkeypatch.setattr(Path, "write_bytes", lambda path, content: path.open("wb").write(content[:9]) / 0)
    assert extract(address=address) != command.DONE
    assert not list((tmp_path / "there").rglob("*.zip"))
    monkeypatch.undo()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    assert extract(address=address) == command.DONE
    made = {path: content for path, content in tiny.contents(tmp_path / "there").items() if path.endswith(".zip")}
    assert made == {path: content for path, content in unbroken.items() if path.startswith("frame")}


def test_a_list_of_what_is_done_is_believed_of_the_same_object_alone(front, prepared, unbroken, capsys):
    upload(front, prepared)
    assert extract() == command.DONE
    key = f"{NAME}/{STORE}/{done_list.NAME}"
    rows = json.loads(front.client.get_object(Bucket=BUCKET, Key=key)["Body"].read())
    assert len(rows) == 6
    for content in (
        b"[1, 2",
        b"[]",
        json.dumps({name: [*row[:2], "0" * 16, []] for name, row in rows.items()}).encode(),
    ):
        front.client.put_object(Bucket=BUCKET, Key=key, Body=content)
        capsys.readouterr()
        assert extract() == command.DONE
        assert "6 of 6 clips are there already" in capsys.readouterr().out
