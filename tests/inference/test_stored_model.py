"""Models on an object storage: sent by share.py, opened with the checks that a zip and a folder have."""

from pathlib import Path

from signs import command
from signs.command import Problem
from signs.inference import manifest, shared, stored_model
from signs.inference.recogniser import Recogniser

import numpy as np
import pytest

import share
import shareable
from s3_server import BUCKET, s3_server

ADDRESS = f"s3://{BUCKET}/models of anna/🤟 mine.zip"
KEY = ADDRESS.removeprefix(f"s3://{BUCKET}/")


@pytest.fixture(scope="module")
def server():
    with s3_server() as front:
        yield front


@pytest.fixture
def model(server, tmp_path, monkeypatch) -> Path:
    import s3fs

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    for name, value in {"ACCESS_KEY_ID": "anna", "SECRET_ACCESS_KEY": "secret", "ENDPOINT_URL": server.address}.items():
        monkeypatch.setenv(f"AWS_{name}", value)
    s3fs.S3FileSystem.clear_instance_cache()
    for row in server.client.list_objects_v2(Bucket=BUCKET).get("Contents", []):
        server.client.delete_object(Bucket=BUCKET, Key=row["Key"])
    server.reset()
    return shareable.write_model(tmp_path / "model" / "mine", forms=("openvino",))


def send(model: Path, output: str = ADDRESS) -> int:
    return command.run(lambda: share.main(["--model", str(model), "--output", output]))


def answer(path: Path | str) -> list[tuple[str, float]]:
    frames = np.random.default_rng(0).integers(0, 255, (8, 36, 48, 3), np.uint8)
    return Recogniser.load(Path(path)).predict(frames, np.arange(8) / 8)


def upload(server, folder: Path, name: str) -> None:
    for path in folder.rglob("*"):
        if path.is_file():
            key = f"{name}/{path.relative_to(folder).as_posix()}"
            server.client.put_object(Bucket=BUCKET, Key=key, Body=path.read_bytes())


def test_a_shared_model_goes_there_and_comes_back(server, model, tmp_path, capsys):
    assert send(model) == command.DONE
    assert f"-> {ADDRESS} (" in capsys.readouterr().out
    assert send(model, str(tmp_path / "mine.zip")) == command.DONE
    content = server.client.get_object(Bucket=BUCKET, Key=KEY)["Body"].read()
    assert content == (tmp_path / "mine.zip").read_bytes()
    assert answer(ADDRESS) == answer(tmp_path / "mine.zip")
    assert shared.open_model(Path(ADDRESS)).place == ADDRESS
    server.requests.clear()
    assert answer(ADDRESS) and server.count("GET", ".zip") == 0, "it is here, and the same"
    assert send(model) == command.DONE, "a model of share.py may be written over"


def test_a_changed_one_is_refused(server, model, tmp_path):
    assert send(model, str(tmp_path / "mine.zip")) == command.DONE
    shareable.rebuilt(tmp_path / "mine.zip", {manifest.NOTE: b"changed"})
    server.client.put_object(Bucket=BUCKET, Key=KEY, Body=(tmp_path / "mine.zip").read_bytes())
    with pytest.raises(Problem, match=f"^{ADDRESS}.*{manifest.NOTE}") as caught:
        shared.open_model(Path(ADDRESS))
    assert "cache" not in str(caught.value)
    server.client.put_object(Bucket=BUCKET, Key=KEY, Body=b"somebody's text")
    with pytest.raises(Problem, match=f"^{ADDRESS}"):
        shared.open_model(Path(ADDRESS))
    assert send(model) == command.NOTHING, "what share.py did not write is left alone"
    assert server.client.get_object(Bucket=BUCKET, Key=KEY)["Body"].read() == b"somebody's text"


def test_a_folder_is_opened_as_one_on_a_disc(server, model):
    (model / "events").mkdir()
    (model / "events" / "curve").write_bytes(b"no part of a model")
    upload(server, model, "mine")
    address = f"s3://{BUCKET}/mine"
    assert answer(address) == answer(model)
    here = stored_model.fetched(address)
    assert not (here / "events").exists() and (here / "net.weights.h5").exists()
    server.client.put_object(Bucket=BUCKET, Key="mine/net.weights.h5", Body=b"other bytes")
    with pytest.raises(Problem, match=f"^{address}/net.weights.h5: not the file"):
        shared.open_model(Path(address))


def test_a_zip_that_becomes_a_folder(server, model):
    assert send(model) == command.DONE
    here = stored_model.fetched(ADDRESS)
    assert here.is_file()
    upload(server, model, KEY)
    assert answer(ADDRESS) == answer(model) and here.is_dir()


def test_what_is_stopped_leaves_no_parts(server, model, tmp_path, monkeypatch):
    """One request, however large a model is: s3fs would send 100 MiB and more in parts, here a hundredth of that."""
    import s3fs

    monkeypatch.setattr(s3fs.core, "calculate_chunksize", lambda size, chunksize=None: 1 << 19)
    monkeypatch.setattr(s3fs.S3FileSystem._pipe_file, "__defaults__", (1 << 19, None, "overwrite"))
    path = tmp_path / "large.zip"
    path.write_bytes(bytes(1 << 20))
    stored_model.send(path, ADDRESS)
    assert [each[::2] for each in server.requests] == [("PUT", ""), ("HEAD", "")]
    server.refuse_after = 0
    with pytest.raises(Problem, match="does not let these credentials do that"):
        stored_model.send(path, ADDRESS)
    server.reset()


def test_a_bucket_alone_is_no_place(model, capsys):
    assert send(model, "s3://mine.zip") == command.NOTHING
    assert "--output s3://mine.zip: a bucket alone; expected s3://bucket/mine.zip" in capsys.readouterr().err


def test_what_is_no_model(server, model, monkeypatch, capsys):
    server.client.put_object(Bucket=BUCKET, Key="text/a.txt", Body=b"text")
    with pytest.raises(Problem, match=rf"^s3://{BUCKET}/text: 1 object below it, no bundle.json among them"):
        shared.open_model(Path(f"s3://{BUCKET}/text"))
    with pytest.raises(Problem, match=rf"^s3://{BUCKET}/nothing: nothing there"):
        shared.open_model(Path(f"s3://{BUCKET}/nothing"))
    with pytest.raises(Problem, match="not there, or there is no such bucket"):
        shared.open_model(Path("s3://nobody-has-this/mine.zip"))
    monkeypatch.setattr(
        stored_model,
        "WHOLE",
        manifest.WHOLE._replace(total=3)
        if hasattr(manifest.WHOLE, "_replace")
        else manifest.Bounds(members=2000, total=3),
    )
    with pytest.raises(Problem, match="4 bytes, at most 3 are read"):
        shared.open_model(Path(f"s3://{BUCKET}/text/a.txt"))
    server.refuse_after = 0
    with pytest.raises(Problem, match="does not let these credentials do that"):
        shared.open_model(Path(f"s3://{BUCKET}/mine"))
