"""prepare_videos.py on folders: every file is accounted for, and what is no label is not taken for one."""

import errno
import shutil
from pathlib import Path

from signs import command
from signs.clips.dataset import load_dataset

import pytest

import prepare_videos
import tiny

VIDEOS = Path(__file__).parent.parent / "clips" / "video"
LABELS, PEOPLE, NAMES, TAKES = ("hello", "stop"), ("S1", "S2", "S3"), ("anna", "ben", "cara"), (1, 2, 3)
SPLITS = ("train", "val", "test")


def laid_out(folder: Path, paths: list[str]) -> Path:
    """A folder with a file at each of these paths, all different: videos, and text."""
    for seed, name in enumerate(paths):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(tiny.avi(seed, 100) if path.suffix == ".avi" else name.encode())
    return folder


def prepare(videos: Path, capsys, *more: str, code: int = command.DONE) -> str:
    """Run, expect this exit code, and return what was said: one line where nothing is done."""
    argv = ["--videos", str(videos), "--output", str(videos.parent / "made"), "--workers", "1", *more]
    assert command.run(lambda: prepare_videos.main(argv)) == code
    said = capsys.readouterr()
    assert code != command.NOTHING or said.err.count("\n") == 1 and not (videos.parent / "made" / "clips.csv").exists()
    assert all(len(line) <= 300 for line in (said.out + said.err).splitlines())
    return said.out + said.err


def clips(videos: Path) -> set[tuple[str, str, str]]:
    return {(clip.source, clip.label, clip.signer) for clip in load_dataset(videos.parent / "made").clips}


@pytest.fixture
def videos(tmp_path) -> Path:
    return laid_out(tmp_path / "signs", [f"{label}/{take}.avi" for label in LABELS for take in TAKES])


def test_what_is_no_video_is_counted_by_suffix_and_named(videos, capsys):
    others = [
        *(f"notes{n}.txt" for n in range(8)),
        *(f"hello/{n}.JPG" for n in range(3)),
        "stop/far/down/a.docx",
        "stop/raw",
    ]
    laid_out(videos, [*others, "Thumbs.db", ".DS_Store", "hello/._1.avi", "stop/desktop.ini", "__MACOSX/x/1.avi"])
    said = prepare(videos, capsys)
    expected = "8 .txt, 3 .jpg, 1 .docx, 1 without suffix (hello/0.JPG, hello/1.JPG, hello/2.JPG, ...)"
    assert f"note: 13 files are no videos: {expected}; not_done.csv in the data set names all\n" in said
    table = (videos.parent / "made" / "not_done.csv").read_text().splitlines()
    assert table[0] == "name,reason" and {f"{name},no video" for name in others} == {*table[1:]}
    assert len(clips(videos)) == 6
    assert not any(name in said for name in ("Thumbs", "DS_Store", "desktop.ini", "MACOSX", "._1"))


def test_videos_beside_the_labels_and_deep_below_them(videos, capsys):
    laid_out(videos, ["lost.avi", "hello/more/deep/down/9.avi"])
    assert "  lost.avi: lies in no label's folder; move it into one\n" in prepare(videos, capsys, code=command.PARTLY)
    assert ("hello/more/deep/down/9.avi", "hello", "") in clips(videos) and len(clips(videos)) == 7


def test_links_to_folders_are_followed_and_loops_end(videos, capsys):
    laid_out(videos.parent / "elsewhere", ["linked.avi"])
    (videos / "hello" / "more").symlink_to(videos.parent / "elsewhere")
    (videos / "stop" / "back").symlink_to(videos)
    (videos / "stop" / "broken.avi").symlink_to(videos / "nowhere.avi")
    said = prepare(videos, capsys, code=command.PARTLY)
    assert "note: links to a folder above them, not followed: stop/back\n" in said
    assert "stop/broken.avi: no such file" in said
    assert len(clips(videos)) == 7 and ("hello/more/linked.avi", "hello", "") in clips(videos)


def test_what_cannot_be_decoded_enters_no_split(videos, capsys):
    whole = (VIDEOS / "whole.mp4").read_bytes()
    start = whole.index(b"mdat") + 4
    size = int.from_bytes(whole[start - 8 : start - 4], "big") - 8
    (videos / "hello" / "zeros.mp4").write_bytes(whole[:start] + bytes(size) + whole[start + size :])
    shutil.copy(VIDEOS / "av1.mp4", videos / "hello" / "good.mp4")
    said = prepare(videos, capsys, code=command.PARTLY)
    assert (
        "hello/zeros.mp4: no frame in it can be decoded (h264)" in said and "1 not done (named above), 7 done" in said
    )


def test_the_same_file_under_two_labels(videos, capsys):
    shutil.copy(videos / "hello" / "1.avi", videos / "stop" / "copy.avi")
    shutil.copy(videos / "hello" / "2.avi", videos / "hello" / "copy.avi")
    said = prepare(videos, capsys, code=command.PARTLY)
    assert "hello/1.avi: the same file as stop/copy.avi, but labelled 'hello' here, 'stop' there; both left out" in said
    assert "stop/copy.avi: the same file as hello/1.avi, but labelled 'stop' here, 'hello' there" in said
    assert len(clips(videos)) == 6, "a copy under the same label stays"


@pytest.mark.parametrize(
    ("layout", "above", "expected", "how"),
    [
        ("{0}/{label}/{n}.avi", PEOPLE, "people (S1, S2, S3), signs/<S1>/<hello>/...; ", "{signer}/{label}/{take}"),
        ("{0}/more_videos/{label}_{n}.avi", PEOPLE, "people (S1, S2, S3)", "{signer}/{folder0}/{label}_{take}"),
        ("{0}/{label}_{n}.avi", PEOPLE, "people (S1, S2, S3), signs/<S1>/...; ", "{signer}/{label}_{take}"),
        ("signer{0}/{label}/a/{n}.avi", "12", "people (signer1, signer2)", "{signer}/{label}/{folder0}/{take}"),
        ("{0}/{label}/{n}.avi", NAMES, "labels, anna, ben, cara or hello, stop?", "{signer}/{label}/{take}"),
        ("{0}/{label}_{n}.avi", NAMES, "labels, anna, ben, cara or hello, stop?", "{signer}/{label}_{take}"),
        ("{label}/{0}-{n}.avi", NAMES, "labels, hello, stop or anna, ben, cara?", "{label}/{signer}-{take}"),
        ("{label}/day {n}/{0}.avi", NAMES, "hello, stop or anna, ben, cara?", "{label}/{folder0}/{signer}"),
        ("{0}/{label}/{n}.avi", SPLITS, "splits (test, train, val), signs/<test>/<hello>/", "{split}/{label}/{take}"),
        ("{0}/{label}/S1/{n}.avi", SPLITS, "its folders are splits", "{split}/{label}/{signer}/{take}"),
        ("{label}_{n}{0}.avi", [""], "6 videos lie in it directly (hello_1.avi, hello_2.avi, ", "{label}_{take}"),
    ],
)
def test_folders_that_are_no_labels(tmp_path, capsys, layout, above, expected, how):
    paths = [layout.format(top, label=label, n=n) for top in above for label in LABELS for n in TAKES]
    videos = laid_out(tmp_path / "signs", paths)
    said = prepare(videos, capsys, code=command.NOTHING)
    assert f"{videos}: " in said and expected in said and "--signer-from" in said and f'"{how}"' in said
    prepare(videos, capsys, "--signer-from", how, "--allow-shared-signers")
    assert {label for _, label, _ in clips(videos)} == {"hello", "stop"} and len(clips(videos)) == len(paths)
    assert all(bool(signer) == ("{signer}" in how) for _, _, signer in clips(videos))


def test_one_loose_file_leaves_the_question_who_the_folders_are(tmp_path, capsys):
    paths = [f"{who}/{label}/{n}.avi" for who in NAMES for label in LABELS for n in TAKES]
    videos = laid_out(tmp_path / "signs", [*paths, "anna/extra.avi"])
    said = prepare(videos, capsys, code=command.NOTHING)
    assert "labels, anna, ben, cara or hello, stop?" in said
    said = prepare(videos, capsys, "--signer-from", "{signer}/{label}/{take}", code=command.PARTLY)
    assert "anna/extra.avi: does not fit" in said and len(clips(videos)) == len(paths)


@pytest.mark.parametrize("name", ["IMG_{n}", "take_{n}", "{label}_{n}", "{n}", "front_{n}"])
def test_names_of_files_that_are_no_question(tmp_path, capsys, name):
    paths = [f"{label}/{name.format(label=label, n=n)}.avi" for label in LABELS for n in TAKES]
    videos = laid_out(tmp_path / "signs", [*paths, "hello/side_1.avi", "stop/side_1.avi"])
    prepare(videos, capsys)
    assert len(clips(videos)) == len(paths) + 2
    prepare(videos, capsys, "--signer-from", "{label}/{take}")


def test_videos_in_a_folder_of_that_name(tmp_path, capsys):
    videos = laid_out(tmp_path / "signs", [f"videos/{label}/{n}.avi" for label in LABELS for n in TAKES] + ["list.csv"])
    said = prepare(videos, capsys, code=command.NOTHING)
    assert "one folder, videos, and in it hel" in said and f"{videos / 'videos'} reads those" in said


def test_one_label(tmp_path, capsys):
    videos = laid_out(tmp_path / "signs", [f"hello/{n}.avi" for n in TAKES])
    assert "one label only, hello; a classifier needs two or more" in prepare(videos, capsys, code=command.NOTHING)
    laid_out(videos, ["stop/1.avi"])
    said = prepare(videos, capsys, "--min-clips", "2", code=command.NOTHING)
    assert "one label only, hello; a classifier needs two or more" in said


def test_people_below_labels(tmp_path, capsys):
    videos = laid_out(
        tmp_path / "signs", [f"{label}/{who}/{n}.avi" for who in PEOPLE for label in LABELS for n in TAKES]
    )
    said = prepare(videos, capsys)
    assert 'people (S1, S2, S3): --signer-from "{label}/{signer}/{take}" keeps each of them in one split' in said
    assert "look like people" not in prepare(videos, capsys, "--signer-from", "{label}/{signer}/{take}")
    assert {who for _, _, who in clips(videos)} == set(PEOPLE)


def test_sessions_below_labels_are_no_question(tmp_path, capsys):
    paths = [f"{label}/session {day}/{n}.avi" for day in TAKES for label in LABELS for n in TAKES]
    prepare(laid_out(tmp_path / "signs", paths), capsys)


def test_no_video(tmp_path, capsys):
    videos = laid_out(tmp_path / "signs", ["hello/a.txt", "stop/b.txt"])
    assert "no video in it (2 files are no videos: 2 .txt" in prepare(videos, capsys, code=command.NOTHING)


def test_a_folder_whose_files_may_not_be_looked_at(tmp_path, capsys, monkeypatch):
    """`chmod a-x`: its names are read, nothing else."""
    real = Path.is_dir

    def is_dir(path):
        if path.parent.name == "locked":
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return real(path)

    videos = laid_out(tmp_path / "signs", [f"{label}/{n}.avi" for label in LABELS for n in range(4)])
    laid_out(videos, ["hello/locked/9.avi"])
    monkeypatch.setattr(Path, "is_dir", is_dir)
    said = prepare(videos, capsys, code=command.PARTLY)
    assert "locked/9.avi: cannot be read (Permission denied)" in said and len(clips(videos)) == 8


def test_suffixes_of_camcorders_and_older_programs(tmp_path, capsys):
    suffixes = ("mod", "asf", "divx", "qt", "tod")
    videos = laid_out(tmp_path / "signs", [f"{label}/{n}.avi" for label in LABELS for n in range(5)])
    for path, suffix in zip(sorted(videos.glob("hello/*")), suffixes, strict=True):
        path.rename(path.with_suffix(f".{suffix}"))
    assert "no video" not in prepare(videos, capsys) and len(clips(videos)) == 10


def test_a_video_is_one_whatever_its_suffix(tmp_path, capsys):
    """And sound, pictures and text are none, though some of them begin alike."""
    videos = laid_out(tmp_path / "signs", [f"{label}/{n}.avi" for label in LABELS for n in range(4)])
    for path, name in zip(sorted(videos.glob("hello/*")), ("GOPR1.LRV", "clip", "2.mp4.part", "3.backup"), strict=True):
        path.rename(path.with_name(name))
    tiny.encode(videos / "stop" / "real.rm", tiny.moving(8, 48, 64), "rv20")
    whole = (VIDEOS / "whole.mp4").read_bytes()
    (videos / "stop" / "cut.mp4.download").write_bytes(whole[: len(whole) // 2])
    (videos / "stop" / "photo.heic").write_bytes(whole)
    tiny.sound(tmp_path / "a.mp4").rename(videos / "stop" / "sound.m4b")
    laid_out(videos, ["stop/a.txt", "stop/b.docx"])
    said = prepare(videos, capsys, code=command.PARTLY)
    assert "note: 4 files are no videos: 1 .txt, 1 .docx, 1 .heic, 1 .m4b" in said and "1 not done" in said
    assert "stop/cut.mp4.download: stops after" in said and len(clips(videos)) == 9
    one = ["--videos", str(videos / "hello" / "clip"), "--output", str(tmp_path / "made")]
    assert command.run(lambda: prepare_videos.main(one)) == command.NOTHING
    assert "a video; expected a table video,label" in capsys.readouterr().err


def test_output_below_the_videos(videos, capsys):
    argv = ["--videos", str(videos), "--output", str(videos / "made")]
    assert command.run(lambda: prepare_videos.main(argv)) == command.NOTHING
    assert "choose a folder that is not read" in capsys.readouterr().err and not (videos / "made").exists()
