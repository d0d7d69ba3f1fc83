"""A model from a Hub is what its manifest says, at one commit; nothing else is brought, and nothing is asked twice."""

import hashlib
import json
import os
import shutil
import sys
from pathlib import Path

from signs.clips.cache import cache_folder
from signs.command import Problem
from signs.inference import hub, hub_download, manifest, shared
from signs.inference.address import Address, address_of
from signs.inference.recogniser import Recogniser

import pytest

import hub_stand_in
import share
import shareable
import tiny

huggingface_hub = pytest.importorskip("huggingface_hub")

NAME, WHERE = "anna/greetings", "hf://anna/greetings"
FORM = "export/openvino/rgb.bin"


@pytest.fixture(scope="module")
def files(tmp_path_factory) -> dict[str, bytes]:
    folder = tmp_path_factory.mktemp("hub")
    model = shareable.write_model(folder / "mine")
    assert share.main(["--model", str(model), "--output", str(folder / "mine.zip")]) == 0
    return shareable.contents(folder / "mine.zip")


@pytest.fixture
def server(tmp_path, monkeypatch):
    with hub_stand_in.stand_in() as server:
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
        monkeypatch.setenv("HF_ENDPOINT", server.address)
        monkeypatch.delenv("HF_TOKEN", raising=False)
        monkeypatch.setattr(hub_download, "WAIT", 0)
        yield server


def kept() -> list[str]:
    """Files of models in the cache, below the folder of the repository."""
    paths = cache_folder().glob("hub/*/*/*/**/*")
    return [str(path.relative_to(cache_folder())) for path in paths if path.is_file()]


def test_it_is_brought_once_and_opened_without_a_network(server, files, monkeypatch, capsys):
    commit = server.add(NAME, files | {"README.md": b"# Greetings", ".gitattributes": b""})
    folder = shared.open_model(Path(WHERE)).folder
    assert tiny.contents(folder) == files and folder.name == commit
    said = capsys.readouterr()
    assert said.err.startswith(f"{WHERE} is commit {commit}; {WHERE}@main asks for a newer one\n") and not said.out
    assert not server.asked("README.md")
    newer = server.add(NAME, files)
    server.shutdown()
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)  # nor is that needed
    asked = len(server.requests)
    assert (
        Recogniser.load(Path(WHERE)).runtime == "openvino" and shared.open_model(f"{WHERE}@{commit}").folder == folder
    )
    assert len(server.requests) == asked and newer not in capsys.readouterr().err


def test_a_revision_is_asked_for_each_time_and_without_a_network_it_is_the_last_one(server, files, capsys):
    first = server.add(NAME, files, branch="v1")
    assert shared.open_model(f"{WHERE}@v1").folder.name == first
    second = server.add(NAME, files | {"README.md": b"better"}, branch="v1")
    assert shared.open_model(f"{WHERE}@v1").folder.name == second
    assert shared.open_model(f"{WHERE}@{first}").folder.name == first
    server.server_close()
    server.address = "http://127.0.0.1:9"
    capsys.readouterr()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
        assert shared.open_model(f"{WHERE}@v1").folder.name == second
        assert "@v1: HF_HUB_OFFLINE is set, so nothing is asked: it stays what it was" in capsys.readouterr().err
        with pytest.raises(Problem, match=f"{WHERE}: HF_HUB_OFFLINE is set, so nothing is asked; unset it"):
            shared.open_model(WHERE)


def test_a_bare_name_follows_main_when_that_is_asked_for(server, files):
    server.add(NAME, files)
    shared.open_model(WHERE)
    second = server.add(NAME, files | {"README.md": b"better"})
    assert shared.open_model(f"{WHERE}@main").folder.name == shared.open_model(WHERE).folder.name == second


def test_no_network_is_one_line(server):
    server.server_close()
    with pytest.raises(hub.Unreachable, match=f"{WHERE}: http://127.0.0.1:.* does not answer .*; try again later"):
        shared.open_model(WHERE)


@pytest.mark.parametrize(
    ("where", "said"),
    [
        ("hf://anna/nothing", "no such model, or a private one"),
        ("hf://anna/secret", "no such model, or a private one"),
        (f"{WHERE}@v9", "no revision v9 there; name another"),
        (f"{WHERE}@{'0' * 40}", "no revision 0000"),
        ("hf://greetings", "no address; expected hf://owner/name"),
        ("hf://anna/../x", "no address"),
        ("hf://anna/greetings@a/../b", "no address"),
        ("hf://anna/greetings/extra", "no address"),
        ("hf://anna/greet--ings", "no address"),
        (f"hf://{'a' * 60}/{'b' * 60}", "no address"),
        ("hf://anna/greetings@", "no address"),
    ],
)
def test_what_is_not_there_is_one_line(server, files, where, said):
    server.add(NAME, files)
    server.add("anna/secret", files, private=True)
    with pytest.raises(Problem, match=said) as problem:
        shared.open_model(Path(where))
    assert where[:60] in str(problem.value) and not kept()


def test_a_private_one_is_opened_with_a_token(server, files, monkeypatch):
    server.add(NAME, files, private=True)
    monkeypatch.setenv("HF_TOKEN", server.token("anna"))
    assert tiny.contents(shared.open_model(WHERE).folder) == files


def test_a_path_of_one_machine_is_no_address():
    assert address_of("model/mine") is None and address_of(Path("mine.zip")) is None
    assert address_of(Path("HF://anna/greetings")) == Address(NAME)
    assert address_of(Path("hf://a/b.c@v1.0/x")) == Address("a/b.c", "v1.0/x")


LARGER = b"x" * 5000


def without(name: str):
    return lambda server, files: server.add(NAME, {path: each for path, each in files.items() if path != name})


def sent(**content):
    """What is sent instead of a file: of its content."""
    return lambda server, files: server.content.update(
        {FILES[name]: of(files[FILES[name]]) for name, of in content.items()}
    )


def said(**sizes: int):
    return lambda server, files: server.said.update({FILES[name]: size for name, size in sizes.items()})


def after_listing(change):
    return lambda server, files: server.after_listing.append(lambda: change(server))


def blank(content: bytes) -> bytes:
    return bytes(len(content))


def naming_a_script(server, files):
    table = manifest.write_manifest({"run.py": (1, "0" * 64)})
    server.add(NAME, files | {manifest.MANIFEST: table, "run.py": b"x"})


def with_a_path_for_a_commit(server, files):
    server.repositories[NAME].commits["../x"] = files
    server.repositories[NAME].branches["main"] = "../x"


FILES = {"form": FORM, "text": "bundle.json", "table": manifest.MANIFEST, "other": "export/openvino/a.bin"}
NOT_IT = f"{FORM}: not the file that manifest.json names"
CHANGED = {  # what the server does, and what is said of it
    "a file changed after the listing": (sent(form=blank), NOT_IT),
    "a text changed after the listing": (sent(text=blank), "bundle.json: not the file that"),
    "a file larger than was said": (
        sent(form=lambda each: each + LARGER),
        "is larger than the [0-9,]+ bytes that were",
    ),
    "a file smaller than was said": (sent(form=lambda each: each[:-1]), f"{FORM} ends after [0-9,]+ of [0-9,]+ bytes"),
    "a manifest larger than was said": (sent(table=lambda each: LARGER), "manifest.json is larger than"),
    "a listing of other sizes": (said(form=7), f"{FORM} is not the file that manifest.json names"),
    "a text of a gigabyte": (said(text=1 << 30), "bundle.json has 1,073,741,824 bytes, at most 8,388,608 are read"),
    "many large files": (said(form=1 << 30, other=1 << 30), "at most 2,000 and 2,147,483,648 are read"),
    "no manifest": (without(manifest.MANIFEST), "no manifest.json in it, so no model"),
    "a file less": (without(FORM), f"{FORM} is missing, as manifest.json says"),
    "another file": (
        lambda server, files: server.add(NAME, files | {FORM: blank(files[FORM])}),
        "is not the file that",
    ),
    "a manifest that names a script": (naming_a_script, "'run.py' does not belong into a shared model"),
    "a revision that disappears": (
        after_listing(lambda server: server.repositories[NAME].commits.clear()),
        "no revision [0-9a-f]{40} there",
    ),
    "a repository that disappears": (
        after_listing(lambda server: server.repositories.clear()),
        "no such model, or a private one",
    ),
    "a commit that is a path": (with_a_path_for_a_commit, "names no commit"),
}


@pytest.mark.parametrize("what", CHANGED)
def test_what_was_changed_is_one_line_and_nothing_parses_it(server, files, monkeypatch, what):
    change, words = CHANGED[what]
    server.add(NAME, files | ({FILES["other"]: b"x"} if what == "many large files" else {}))
    change(server, files)
    monkeypatch.setattr(shared, "load_bundle", lambda _: pytest.fail("it was parsed"))
    with pytest.raises(Problem, match=words) as problem:
        shared.open_model(WHERE)
    assert "\n" not in str(problem.value) and str(problem.value).startswith(WHERE)
    assert not [name for name in kept() if ".part/" not in name]


def test_what_no_model_has_is_left_there_by_name(server, files, capsys):
    more = {"run.py": b"x", "weights.pkl": b"x", "model.safetensors": b"x", "export/openvino/evil.so": b"x"}
    server.add(NAME, files | more)
    folder = shared.open_model(WHERE).folder
    assert tiny.contents(folder) == files and not any(server.asked(name) for name in more)
    said = capsys.readouterr().err
    assert "left there, as no part of a model: " in said and all(name in said for name in more)


def test_a_loop_that_the_manifest_does_not_name_is_not_brought(server, files):
    server.add(NAME, files | {"loops/7.zip": b"x"})
    assert tiny.contents(shared.open_model(WHERE).folder) == files and not server.asked("loops/7.zip")


def test_a_broken_download_goes_on_where_it_ended(server, files):
    server.add(NAME, files)
    server.cut = {FORM: [10, 3], "bundle.json": [100]}
    assert tiny.contents(shared.open_model(WHERE).folder) == files
    digest = hashlib.sha256(files[FORM]).hexdigest()
    assert [headers.get("range") for headers in server.asked(digest)] == [None, "bytes=10-", "bytes=13-"]
    assert [headers.get("range") for headers in server.asked("bundle.json")] == [None, "bytes=100-"]


def test_a_later_run_goes_on_where_an_earlier_one_broke(server, files):
    server.add(NAME, files)
    server.cut = {FORM: [10] + [0] * hub_download.TRIES}
    with pytest.raises(hub.Unreachable, match="does not answer"):
        shared.open_model(WHERE)
    before, server.cut = len(server.asked("bundle.json")), {}
    server.requests.clear()
    assert tiny.contents(shared.open_model(WHERE).folder) == files
    digest = hashlib.sha256(files[FORM]).hexdigest()
    assert [headers.get("range") for headers in server.asked(digest)] == ["bytes=10-"]
    assert before == 1 and not server.asked("bundle.json"), "what is whole is not brought again"


def test_a_half_file_of_something_else_is_brought_anew(server, files):
    commit = server.add(NAME, files)
    server.cut = {FORM: [10] + [0] * hub_download.TRIES}
    with pytest.raises(Problem):
        shared.open_model(WHERE)
    (part,) = cache_folder().glob(f"hub/*/*/.{commit}.part/{FORM}")
    part.write_bytes(b"0123456789")
    server.cut = {}
    assert tiny.contents(shared.open_model(WHERE).folder) == files


def test_a_redirect_elsewhere_brings_the_same_bytes_or_none_and_no_token_goes_there(server, files, monkeypatch):
    server.add(NAME, files, private=True)
    monkeypatch.setenv("HF_TOKEN", server.token("anna"))
    with hub_stand_in.stand_in() as other:
        server.elsewhere, other.large = other.address, dict.fromkeys(server.large, b"planted")
        with pytest.raises(Problem, match=r"\.bin (?:is larger than|ends after|.*not the file)"):
            shared.open_model(WHERE)
        other.large = server.large
        assert tiny.contents(shared.open_model(WHERE).folder) == files
        assert other.requests and not [row for _, _, row in other.requests if "authorization" in row]
        assert all("authorization" in headers for _, _, headers in server.requests)


def test_a_redirect_from_https_to_http_is_not_followed_to_its_content(tmp_path, monkeypatch):
    httpx2 = pytest.importorskip("httpx2")

    def answer(request):
        elsewhere = {"Location": "http://cdn.test/bundle.json"}
        return (
            httpx2.Response(302, headers=elsewhere) if request.url.scheme == "https" else httpx2.Response(200, text="x")
        )

    client = httpx2.Client(transport=httpx2.MockTransport(answer), follow_redirects=True)
    monkeypatch.setenv("HF_ENDPOINT", "https://hub.test")
    monkeypatch.setattr(huggingface_hub, "get_session", lambda: client)
    with pytest.raises(Problem, match="bundle.json leads to cdn.test without https"):
        hub_download.Download(Address(NAME, "0" * 40), tmp_path).bring("bundle.json", 1, None)
    assert (tmp_path / "bundle.json").read_bytes() == b""


def test_what_was_spoilt_in_the_cache_is_brought_again(server, files):
    commit = server.add(NAME, files)
    folder = shared.open_model(WHERE).folder
    assert folder.stat().st_mode & 0o777 == 0o700 and folder.name == commit
    for spoil in (
        lambda: (folder / FORM).write_bytes(bytes(len(files[FORM]))),
        lambda: (folder / "net.weights.h5").write_bytes(b"planted"),
        lambda: (folder / manifest.MANIFEST).write_bytes(b"{}"),
        lambda: (folder.parent / hub_download.COMMITS).write_text(json.dumps({"main": "../x"})),
    ):
        spoil()
        assert shared.open_model(WHERE).folder == folder and tiny.contents(folder) == files


def test_what_lies_in_the_way_of_a_download_goes(server, files):
    commit = server.add(NAME, files)
    folder = cache_folder_of(server)
    part = folder / f".{commit}.part"
    for lie in (part.touch, (part / "bundle.json").mkdir):
        part.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        if lie != part.touch:
            part.mkdir()
        lie()
        found = shared.open_model(WHERE).folder
        assert found == folder / commit and tiny.contents(found) == files
        shutil.rmtree(found)


def cache_folder_of(server) -> Path:
    with pytest.raises(Problem):
        shared.open_model(f"{WHERE}@nothing")
    (folder,) = cache_folder().glob("hub/*/*")
    return folder


def test_a_cache_that_may_be_read_alone_is_none(server, files, monkeypatch):
    server.add(NAME, files)
    cache = shared.open_model(WHERE).folder.parent
    monkeypatch.setattr(os, "access", lambda path, mode: Path(path) != cache)
    assert not shared.open_model(WHERE).folder.is_relative_to(cache)


def test_without_a_cache_it_is_opened_all_the_same(server, files, tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    server.add(NAME, files)
    folder = shared.open_model(WHERE).folder
    assert tiny.contents(folder) == files and not folder.is_relative_to(tmp_path)


def test_what_is_not_installed_is_named(server, monkeypatch):
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(Problem, match=r'no huggingface_hub is installed, which hf:// needs; pip install "\.\[hub\]"'):
        shared.open_model(WHERE)


@pytest.mark.parametrize(
    "where", ("nonsense", "https://[::1", "http://x:99999", "ftp://x", "http://me:secret@x", "http://")
)
def test_a_hub_that_has_no_address_is_one_line_without_what_it_says(where, monkeypatch):
    monkeypatch.setenv("HF_ENDPOINT", where)
    with pytest.raises(Problem, match="no address of a Hub") as problem:
        hub_download.fetched(Address("anna/greetings"))
    assert "secret" not in str(problem.value)


def test_a_token_of_other_letters_is_named_as_that(server, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "tök\u202een")
    with pytest.raises(Problem, match="the token holds"):
        hub.commit_of(Address("anna/greetings"))
