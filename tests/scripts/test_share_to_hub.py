"""share.py sends a model to a Hub when somebody has said yes, and what it sent is what others open."""

import io
import json
import sys
from pathlib import Path

from signs import command
from signs.clips.dataset import Clip
from signs.command import Problem
from signs.evaluation import before_after
from signs.inference import manifest, shared, sign_loops
from signs.inference.predictions import Predictions
from signs.inference.recogniser import Recogniser
from signs.inference.runtime import KERAS
from signs.inference.sign_loops import Loop
from signs.live.model_choice import find_model
from signs.prepare.recordings import SCOPES, read_recordings

import numpy as np
import pytest
from test_share import WITHOUT_TENSORFLOW

import ensemble
import hub_stand_in
import posed
import predict
import share
import shareable
import tiny

pytest.importorskip("huggingface_hub")
WHERE, NAME = "hf://anna/greetings", "anna/greetings"


@pytest.fixture
def server(tmp_path, monkeypatch):
    with hub_stand_in.stand_in() as server:
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
        monkeypatch.setenv("HF_ENDPOINT", server.address)
        monkeypatch.setenv("HF_TOKEN", server.token("anna", ("school",)))
        yield server


@pytest.fixture
def model(tmp_path) -> Path:
    return shareable.write_model(tmp_path / "model" / "mine")


def send(model: Path, *flags, to: str = WHERE) -> int:
    return share.main(["--model", str(model), "--output", to, *map(str, flags)])


def with_loops(model: Path, tmp_path: Path, allowed: dict[str, str]) -> Path:
    """Loops of anna and ben in the model; the recordings with what they allow."""
    recordings, rows = read_recordings(tmp_path / "recordings"), {}
    for number, (label, signer) in enumerate({"left": "anna", "right": "ben"}.items()):
        take = tiny.avi(number)
        (tmp_path / signer).write_bytes(take)
        rows[label] = Loop(posed.points(label, 1, 0), signer, command.sha256(tmp_path / signer))
        recordings.add_consent(signer, allowed[signer].split(), signer)
        recordings.add(take, "a sign", signer)
    sign_loops.write_loops(model, rows)
    return recordings.folder


def test_what_was_sent_is_what_the_zip_holds_and_is_opened(model, server, tmp_path, capsys):
    assert share.main(["--model", str(model), "--output", str(tmp_path / "mine.zip")]) == 0
    assert send(model, "--yes", "--licence", "CC BY 4.0", "--learnt-from", "LSA64, CC BY-NC-SA 4.0") == 0
    files, in_zip = server.files(NAME), shareable.contents(tmp_path / "mine.zip")
    assert server.repositories[NAME].private and set(files) == {*in_zip, "README.md", ".gitattributes"}
    own = {manifest.MANIFEST, manifest.NOTE}
    assert {name: files[name] for name in in_zip if name not in own} == {
        name: each for name, each in in_zip.items() if name not in own
    }
    assert not [name for name, each in files.items() if b"anna's" in each or b"/home" in each or name.endswith(".h5")]
    assert f"livedemo.py --model {WHERE}" in files[manifest.NOTE].decode() and b"LSA64" in files[manifest.NOTE]
    said = capsys.readouterr().out
    commit = server.repositories[NAME].branches["main"]
    assert f"To {server.address}/{NAME} (new, private), by anna:" in said and f"-> {WHERE}@{commit}" in said
    assert all(name in said for name in files if name != ".gitattributes")
    bundle = shared.open_model(f"{WHERE}@{commit}")
    assert bundle.shared and tiny.contents(bundle.folder) == {n: files[n] for n in files if n in in_zip}


@pytest.mark.parametrize("answer", ["no\n", "", "\n"])
def test_without_a_yes_nothing_is_sent(model, server, monkeypatch, capsys, answer):
    monkeypatch.setattr(sys, "stdin", io.StringIO(answer))
    monkeypatch.setattr(sys.stdin, "isatty", lambda: True)
    with pytest.raises(Problem, match="nothing is sent; answer yes, or give --yes"):
        send(model)
    assert "Send all of it?" in capsys.readouterr().out and not server.repositories
    assert {method for method, _, _ in server.requests} == {"GET"}


def test_a_yes_at_the_terminal_sends_it(model, server, monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.StringIO("yes\n"))
    monkeypatch.setattr(sys.stdin, "isatty", lambda: True)
    assert send(model, "--public") == 0 and not server.repositories[NAME].private


def test_without_a_terminal_and_without_yes_it_is_refused_before_anything_is_asked(model, server, capsys):
    assert command.run(lambda: send(model)) == 2
    said = capsys.readouterr()
    assert "nobody is at a terminal to say yes, so nothing is sent; --yes says it" in said.err
    assert said.err.count("\n") == 1 and not said.out and not server.requests


def test_a_second_time_it_is_the_next_commit_and_what_is_no_more_goes(model, server, tmp_path, capsys):
    both = with_loops(model, tmp_path, {"anna": " ".join(SCOPES), "ben": " ".join(SCOPES)})
    assert send(model, "--yes", "--recordings", both) == 0
    first = server.repositories[NAME].branches["main"]
    assert {"loops/1.zip", "loops/2.zip"} <= set(server.files(NAME))
    (both / "consent.csv").write_text((both / "consent.csv").read_text().replace("sharing", "", 1))
    server.files(NAME)["picture.png"] = b"of the owner"
    capsys.readouterr()
    assert send(model, "--yes", "--recordings", both) == 0
    said = capsys.readouterr()
    assert "loops/2.zip" not in server.files(NAME) and server.files(NAME)["picture.png"] == b"of the owner"
    assert "(there already, private)" in said.out and "deleted" in said.out
    assert f"{WHERE}: earlier commits still hold loops/2.zip; delete the repository" in said.err
    assert len(shared.open_model(f"{WHERE}@{first}").classes) == 3, "whoever has pinned it keeps it"
    assert list(sign_loops.loops_of(shared.open_model(WHERE))) == ["right"]


@pytest.mark.parametrize(
    ("where", "token", "said"),
    [
        ("hf://ben/greetings", "hf_anna", "the token is of anna, who has no part in that; hf://anna/greet"),
        (WHERE, "hf_nobody", "the token is not valid, or no more; log in with `hf auth login`"),
        (WHERE, None, "no token; log in with `hf auth login`, or set HF_TOKEN"),
        (WHERE, "hf_reader", "who has no part in that"),
        ("hf://greetings", "hf_anna", "no address; expected hf://owner/name"),
        (f"{WHERE}@v2", "hf_anna", "goes to a new commit; leave @v2 out"),
    ],
)
def test_what_cannot_be_sent_is_one_line(model, server, monkeypatch, tmp_path, where, token, said):
    server.token("reader", writes=False)
    monkeypatch.setenv("HF_HOME", str(tmp_path))
    monkeypatch.delenv("HF_TOKEN") if token is None else monkeypatch.setenv("HF_TOKEN", token)
    with pytest.raises(Problem, match=said) as problem:
        send(model, "--yes", to=where)
    assert "\n" not in str(problem.value) and not server.repositories


def test_a_token_that_may_only_read(model, server, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", server.token("anna", writes=False))
    with pytest.raises(Problem, match="the token may not do that; make one that may at .*/settings/tokens"):
        send(model, "--yes")
    assert not server.repositories


def test_no_network(model, server):
    server.server_close()
    with pytest.raises(Problem, match=f"{WHERE}: {server.address} does not answer"):
        send(model, "--yes")


def test_a_group_is_written_to_by_whoever_is_in_it(model, server):
    assert send(model, "--yes", to="hf://school/greetings") == 0 and "school/greetings" in server.repositories


def test_what_is_something_else_stays_as_it_is(model, server):
    server.add(NAME, {"model.safetensors": b"years of work"}, private=True)
    with pytest.raises(Problem, match="there already, and no model of share.py; choose another name"):
        send(model, "--yes")
    assert server.files(NAME) == {"model.safetensors": b"years of work"}


@pytest.mark.parametrize(
    ("private", "flags", "said"), [(False, [], "public: add"), (True, ["--public"], "private: leave")]
)
def test_who_may_read_it_is_never_a_surprise(model, server, private, flags, said):
    before = {"README.md": b"x"}
    server.add(NAME, before, private)
    with pytest.raises(Problem, match=f"there already, and {said} --public"):
        send(model, "--yes", *flags)
    assert server.files(NAME) == before


def test_somebody_else_who_changes_it_meanwhile(model, server):
    assert send(model, "--yes") == 0
    server.after_listing = [lambda: server.add(NAME, {"README.md": b"x"})]
    with pytest.raises(Problem, match="somebody else has changed it meanwhile; try again"):
        send(model, "--yes")
    assert server.files(NAME) == {"README.md": b"x"}


def test_flags_of_a_hub_belong_to_one(model, tmp_path):
    with pytest.raises(Problem, match="--public and --yes belong to an --output hf://owner/name"):
        send(model, "--yes", to=str(tmp_path / "mine.zip"))


def card_of(server) -> tuple[dict, str]:
    yaml = pytest.importorskip("yaml")
    _, head, text = server.files(NAME)["README.md"].decode().split("---\n", 2)
    return yaml.safe_load(head), text


def test_the_card_says_what_is_known_and_names_nobody(model, server, tmp_path):
    clips = [
        Clip(f"{signer}_{label}", "left-out", label, signer) for signer in ("anna", "ben") for label in shareable.SIGNS
    ]
    rows = np.eye(3)[[0, 1, 2, 0, 1, 1]]
    Predictions(clips, list(shareable.SIGNS), {"new": rows, "known": rows}).write(
        Predictions.path(model, before_after.LEFT_OUT)
    )
    assert send(model, "--yes", "--licence", "CC BY-NC 4.0", "--learnt-from", "videos of <b>ours</b> [x](y)") == 0
    head, text = card_of(server)
    assert head["license"] == "cc-by-nc-4.0" and head["pipeline_tag"] == "video-classification"
    for words in (
        "It names one sign a clip: Left, Right, Up.",
        f"python livedemo.py --model {WHERE}",
        "9 clips of 2 people",
        "data and their licence: videos of &lt;b&gt;ours&lt;/b&gt; &#91;x&#93;(y)",
        "began with the network of signs/models/dgs",
        "of 6 takes are named right (each person left out in turn, so for somebody new)",
        "an answer below 40% is marked as not sure",
        "CC BY-NC 4.0. LICENCE.txt says more",
    ):
        assert words in text, words
    assert "83.3 (0.0 to 100.0) %" in text, "two people say next to nothing"
    assert "ben" not in text and "anna" not in text.replace("hf://anna/", "")


@pytest.mark.parametrize(
    ("licence", "head"),
    [
        ("", {"license": "unknown"}),
        ("MIT License", {"license": "other", "license_name": "MIT License", "license_link": "LICENCE.txt"}),
        ("Apache License 2.0", {"license": "apache-2.0"}),
        ('Ask "us": first', {"license": "other", "license_name": 'Ask "us": first', "license_link": "LICENCE.txt"}),
    ],
)
def test_the_cards_metadata_is_that_of_a_hub(model, server, licence, head):
    assert send(model, "--yes", "--licence", licence) == 0
    found, text = card_of(server)
    assert {name: found[name] for name in found if name.startswith("license")} == head
    assert "nobody has measured it" in text and "9 clips of people whose number is not known" in text


def test_numbers_of_evaluate_are_in_the_card(model, server):
    hashes = json.loads((model / "bundle.json").read_text())["sha256"]
    row = {"top1": 0.75, "intervals": {"top1": [0.6, 0.9]}, "over": "signers", "groups": 4}
    about = {
        "data": {"name": "anna", "clips": ""},
        "failed": [],
        "clips": 40,
        "classes": 3,
        "unlabelled": 0,
        "rejection": {},
    }
    training = {"clips": {}, "signers": 7}
    test = {**about, "checks": [], "training": training, "rgb": row}
    valid = {**about, "checks": ["anna is in train too"], "training": training, "rgb": row}
    (model / "metrics.json").write_text(json.dumps({"model": hashes, "test": test, "valid": valid}))
    assert send(model, "--yes") == 0
    _, text = card_of(server)
    assert "75.0 (60.0 to 90.0) % of 40 clips of 4 people in the split `test`\n" in text
    assert "in the split `valid`; the splits share people or clips, so that is too high" in text
    assert "9 clips of 7 people" in text and "is in train too" not in text


def test_it_is_opened_without_tensorflow_and_then_without_a_network(model, server, tmp_path):
    assert send(model, "--yes") == 0
    video = tiny.encode(tmp_path / "a.mp4", tiny.moving())
    line = ["-c", WITHOUT_TENSORFLOW.format(script="predict"), "--model", WHERE, video, "--json"]
    done = tiny.python(*line, PYTHONPATH=str(tiny.REPOSITORY))
    assert done.returncode == 0 and f"{WHERE} is commit" in done.stderr, done.stderr
    server.shutdown()
    server.server_close()
    again = tiny.python(*line, PYTHONPATH=str(tiny.REPOSITORY))
    assert json.loads(again.stdout)["top"] == json.loads(done.stdout)["top"]


@pytest.mark.parametrize(
    "open_it",
    [
        lambda: ensemble.main(["--model", WHERE, WHERE, "--output", "model/none"]),
        lambda: predict.main(["--model", WHERE, "--runtime", "keras", "a.mp4"]),
        lambda: Recogniser.load(Path(WHERE), KERAS),  # as evaluate.py and export.py do
    ],
)
def test_what_needs_keras_weights_says_so_and_brings_nothing(server, open_it):
    with pytest.raises(Problem, match=f"{WHERE}: a shared model, without Keras's weights"):
        open_it()
    assert not server.requests


def test_the_live_demos_take_an_address(monkeypatch):
    for address in (WHERE, "HF://anna/greetings", "s3://bucket/mine.zip"):
        assert find_model(Path(address)) == Path(address)
    with pytest.raises(Problem, match="no address"):
        find_model(Path("hf://greetings"))
    with pytest.raises(Problem, match="no such folder; give a model's, a zip of share.py, or hf://owner/name"):
        find_model(Path("greetings"))
