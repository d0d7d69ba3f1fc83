"""prepare_videos.py on signs in longer videos: tables with times, ELAN, subtitles, and folders of pictures."""

import csv
from pathlib import Path

from signs import command
from signs.clips.dataset import Dataset, load_dataset
from signs.clips.storage import read_info
from signs.clips.video import read_video
from signs.training import withdrawal

import pytest

import frame
import imitations
import prepare_videos

ELAN = """<?xml version="1.0" encoding="UTF-8"?>
<ANNOTATION_DOCUMENT AUTHOR="" DATE="2031-01-01T00:00:00+01:00" FORMAT="3.0" VERSION="3.0">
  <HEADER MEDIA_FILE="" TIME_UNITS="milliseconds">
    <MEDIA_DESCRIPTOR MEDIA_URL="file:///C:/old/talk.mp4" MIME_TYPE="video/mp4"
      RELATIVE_MEDIA_URL="./talk.mp4"{origin}/>
  </HEADER>
  <TIME_ORDER>
    <TIME_SLOT TIME_SLOT_ID="ts1" TIME_VALUE="0"/><TIME_SLOT TIME_SLOT_ID="ts2" TIME_VALUE="400"/>
    <TIME_SLOT TIME_SLOT_ID="ts3" TIME_VALUE="800"/><TIME_SLOT TIME_SLOT_ID="ts4" TIME_VALUE="1600"/>
    <TIME_SLOT TIME_SLOT_ID="ts5"/><TIME_SLOT TIME_SLOT_ID="ts6" TIME_VALUE="9000"/>
  </TIME_ORDER>
  <TIER LINGUISTIC_TYPE_REF="gloss" PARTICIPANT="Anna" TIER_ID="Gloss right">
    {annotations}
  </TIER>
  <TIER PARENT_REF="Gloss right" LINGUISTIC_TYPE_REF="word" PARTICIPANT="Anna" TIER_ID="Word">
    <ANNOTATION><REF_ANNOTATION ANNOTATION_ID="b1" ANNOTATION_REF="a1">
      <ANNOTATION_VALUE>Haus</ANNOTATION_VALUE></REF_ANNOTATION></ANNOTATION>
    <ANNOTATION><REF_ANNOTATION ANNOTATION_ID="b2" ANNOTATION_REF="a2">
      <ANNOTATION_VALUE>Tschüß</ANNOTATION_VALUE></REF_ANNOTATION></ANNOTATION>
  </TIER>
</ANNOTATION_DOCUMENT>
"""


def annotation(number: int, start: str, end: str, text: str) -> str:
    slots = f'TIME_SLOT_REF1="{start}" TIME_SLOT_REF2="{end}"'
    value = f"<ANNOTATION_VALUE>{text}</ANNOTATION_VALUE></ALIGNABLE_ANNOTATION>"
    return f'<ANNOTATION><ALIGNABLE_ANNOTATION ANNOTATION_ID="a{number}" {slots}>{value}</ANNOTATION>'


def elan(path: Path, *annotations: str, origin: str = "") -> Path:
    return imitations.put(path, ELAN.format(annotations="\n".join(annotations), origin=origin))


TWO = (annotation(1, "ts1", "ts2", "HOUSE"), annotation(2, "ts3", "ts4", "BYE\n bye"))


def prepare(videos: Path, output: Path, *more) -> int:
    flags = ["--videos", videos, "--output", output, "--workers", 1, *more]
    return command.run(lambda: prepare_videos.main(list(map(str, flags))))


def made(folder: Path) -> Dataset:
    return load_dataset(folder / "out")


def times(data: Dataset) -> dict[str, tuple]:
    return {clip.label: (clip.start, clip.end) for clip in data.clips}


@pytest.fixture
def talk(tmp_path) -> Path:
    """A video of two seconds, 25 frames/s."""
    return imitations.put(tmp_path / "in" / "talk.mp4", imitations.film())


def table(talk: Path, head: str, *rows: str) -> Path:
    lines = [f"video,label,{head}", *(f"talk.mp4,{row}" for row in rows)]
    return imitations.put(talk.parent / "table.csv", "\n".join(lines))


def test_a_table_with_seconds(talk, tmp_path):
    rows = ("a,0.4,0.8", "b,0:01.2,00:00:01.6", "c,1.6,")
    assert prepare(table(talk, "start,end", *rows), tmp_path / "out", "--shares", 0, 0) == command.DONE
    data = made(tmp_path)
    assert times(data) == {"a": (0.4, 0.8), "b": (1.2, 1.6), "c": (1.6, 2)}
    assert {clip.clip for clip in data.clips} == {"talk_0000400_0000800", "talk_0001200_0001600", "talk_0001600_end"}
    assert len(list((tmp_path / "out" / "video").rglob("*.mp4"))) == 1, "stored once"
    assert frame.main(["--data", str(tmp_path / "out"), "--frames", "all", "--short-side", "32", "--workers", "1"]) == 0
    whole, _ = read_video(talk)
    for clip, first in zip(sorted(data.clips, key=lambda clip: clip.start), (10, 30, 40), strict=True):
        info = read_info(clip.archive(data.folder, "frame-allx32"))
        assert info["times"] == pytest.approx([number / 25 for number in range(10)]), first
        assert (info["start"], info["end"]) == (clip.start, clip.end)
    assert len(whole) == 50


def test_a_changed_interval_is_made_anew(talk, tmp_path, capsys):
    flags = ["--data", str(tmp_path / "out"), "--frames", "all", "--short-side", "32", "--workers", "1"]
    for rows, anew in ((("a,0.4,0.8", "b,1,1.4"), 2), (("a,0.4,0.8", "b,1,1.4"), 0), (("a,0.4,0.8", "b,1,1.5"), 1)):
        # The names stay, as a user's own would: only the times change.
        assert prepare(table(talk, "start,end", *rows), tmp_path / "out", "--shares", 0, 0) == command.DONE
        text = (tmp_path / "out" / "clips.csv").read_text().replace("_0001500", "_0001400")
        (tmp_path / "out" / "clips.csv").write_text(text)
        capsys.readouterr()
        assert frame.main(flags) == 0
        assert f"{anew} clip" in capsys.readouterr().out
    # A clip that was an interval, and is all of its video now.
    text = (tmp_path / "out" / "clips.csv").read_text()
    (tmp_path / "out" / "clips.csv").write_text(text.replace(",0.4,0.8", ",,"))
    clip = next(clip for clip in made(tmp_path).clips if clip.start is None)
    imitations.put(clip.video(tmp_path / "out"), talk.read_bytes())
    assert frame.main(flags) == 0
    assert len(read_info(clip.archive(tmp_path / "out", "frame-allx32"))["times"]) == 50


def test_a_table_with_frames(talk, tmp_path, capsys):
    rows = ("a,1,10,", "b,11,20,25", "c,11,20,12.5", "d,49,50,")
    assert prepare(table(talk, "start_frame,end_frame,fps", *rows), tmp_path / "out", "--shares", 0, 0) == command.DONE
    assert times(made(tmp_path)) == {"a": (0, 0.4), "b": (0.4, 0.8), "c": (0.8, 1.6), "d": (1.92, 2)}
    assert prepare(table(talk, "start_frame,end_frame", "a,0,9", "b,10,19"), tmp_path / "o") == command.NOTHING
    assert "frames count from 1 here: add 1 to both columns" in capsys.readouterr().err


def test_wrong_intervals_are_named(talk, tmp_path, capsys):
    rows = ("a,0.1,0.5", "b,0.5,0.9", "c,5,6", "d,1,4", "e,1.5,1.1", "f,0.5,0.5", "g,x,1", "h,-1,1", "i,0.41,0.42")
    assert prepare(table(talk, "start,end", *rows), tmp_path / "out", "--shares", 0, 0) == command.PARTLY
    said = " ".join(capsys.readouterr().err.split())
    for text in (
        "interval 5 to 6 s begins behind the end of the video's 2.00 s",
        "interval 1 to 4 s ends behind the end of the video's 2.00 s",
        "interval 1.5 to 1.1 s is reversed",
        "interval 0.5 to 0.5 s is empty",
        "seconds 'x'; expected a number",
        "seconds -1; expected a number from 0 on",
        "interval 0.41 to 0.42 s is empty: no frame lies in it",
        "7 not done",
    ):
        assert text in said
    assert set(times(made(tmp_path))) == {"a", "b"}
    rows = ("a,1,10,25", "b,11,20,25", "c,100,200,100", "d,60,90,12.5")
    assert prepare(table(talk, "start_frame,end_frame,fps", *rows), tmp_path / "o", "--shares", 0, 0) == command.PARTLY
    said = " ".join(capsys.readouterr().err.split())
    assert "frames 60 to 90 begins behind the end of the video's 2.00 s; they are counted at 12.5 frames/s" in said


def test_the_same_interval_under_two_labels(talk, tmp_path, capsys):
    rows = ("a,0.1,0.5", "b,0.1,0.5", "a,0.5,0.9", "b,1,1.4", "b,1,1.4")
    assert prepare(table(talk, "start,end", *rows), tmp_path / "out", "--shares", 0, 0) == command.PARTLY
    said = capsys.readouterr().err
    assert said.count("the same interval as") == 2 and "stands in table.csv line 5 already" in said
    assert times(made(tmp_path)) == {"a": (0.5, 0.9), "b": (1, 1.4)}


def test_one_of_many_wants_the_whole_and_old_tables_stay(talk, tmp_path):
    imitations.put(talk.parent / "b.mp4", imitations.film(seed=3))
    imitations.put(talk.parent / "t.csv", "video,label,start,end\ntalk.mp4,a,,\nb.mp4,b,0.2,0.6\n")
    assert prepare(talk.parent / "t.csv", tmp_path / "out", "--shares", 0, 0) == command.DONE
    assert times(made(tmp_path)) == {"a": (None, None), "b": (0.2, 0.6)}
    imitations.put(talk.parent / "t.csv", "video,label\ntalk.mp4,a\nb.mp4,b\n")
    assert prepare(talk.parent / "t.csv", tmp_path / "out", "--shares", 0, 0) == command.DONE
    with open(tmp_path / "out" / "clips.csv", newline="") as file:
        assert next(csv.reader(file)) == ["clip", "split", "label", "signer", "group", "source", "sha256"]


def test_elan(talk, tmp_path, capsys):
    path = elan(talk.parent / "talk.eaf", *TWO)
    assert prepare(path, tmp_path / "out") == command.NOTHING
    assert "2 tiers, Gloss right (2), Word (2); choose the one with the signs: --tier" in capsys.readouterr().err
    assert prepare(path, tmp_path / "out", "--tier", "Glos") == command.NOTHING
    assert "no tier Glos; there are Gloss right (2), Word (2)" in capsys.readouterr().err
    assert prepare(path, tmp_path / "out", "--tier", "gloss right", "--shares", 0, 0) == command.DONE
    data = made(tmp_path)
    assert times(data) == {"HOUSE": (0, 0.4), "BYE bye": (0.8, 1.6)} and {c.signer for c in data.clips} == {"Anna"}
    assert prepare(talk.parent, tmp_path / "words", "--tier", "Word", "--shares", 0, 0) == command.DONE
    assert times(load_dataset(tmp_path / "words")) == {"Haus": (0, 0.4), "Tschüß": (0.8, 1.6)}


def test_elan_that_begins_later_than_its_video(talk, tmp_path):
    path = elan(talk.parent / "talk.eaf", *TWO, origin=' TIME_ORIGIN="200"')
    assert prepare(path, tmp_path / "out", "--tier", "Word", "--shares", 0, 0) == command.DONE
    assert times(made(tmp_path)) == {"Haus": (0.2, 0.6), "Tschüß": (1, 1.8)}


def test_elan_with_wrong_annotations(talk, tmp_path, capsys):
    more = (annotation(3, "ts1", "ts6", "LATE"), annotation(4, "ts1", "ts3", " "), annotation(5, "ts3", "ts1", "BACK"))
    path = elan(talk.parent / "talk.eaf", *TWO, *more)
    assert prepare(path, tmp_path / "out", "--tier", "Gloss right", "--shares", 0, 0) == command.PARTLY
    said = capsys.readouterr().err
    assert "interval 0 to 9 s ends behind" in said and "no text in it, so no label" in said and "is reversed" in said
    assert len(made(tmp_path).clips) == 2
    (talk.parent / "talk.eaf").write_text(path.read_text().replace("ts3", "ts5"))
    assert prepare(path, tmp_path / "o", "--tier", "Gloss right") == command.NOTHING
    assert "ts5 has no time" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (
            '<?xml version="1.0"?><!DOCTYPE a [<!ENTITY b "cc">]><ANNOTATION_DOCUMENT>&b;</ANNOTATION_DOCUMENT>',
            "declares",
        ),
        ("<ANNOTATION_DOCUMENT><TIER>", "no whole XML file"),
        ("<html></html>", "but of html; expected ANNOTATION_DOCUMENT"),
        ("<ANNOTATION_DOCUMENT></ANNOTATION_DOCUMENT>", "no annotation in any tier"),
        ("", "no whole XML file"),
    ],
)
def test_no_elan_file(talk, tmp_path, capsys, content, said):
    assert prepare(imitations.put(talk.parent / "talk.eaf", content), tmp_path / "out") == command.NOTHING
    assert said in capsys.readouterr().err


def test_elan_in_utf_16_hides_nothing(talk, tmp_path, capsys):
    text = '<?xml version="1.0" encoding="UTF-16"?><!DOCTYPE a [<!ENTITY b "c">]><ANNOTATION_DOCUMENT/>'
    path = imitations.put(talk.parent / "talk.eaf", text.encode("utf-16"))
    assert prepare(path, tmp_path / "out") == command.NOTHING
    assert "declares a document type" in capsys.readouterr().err


VTT = """WEBVTT - signs

NOTE 00:00:01.000 is no cue

STYLE
::cue { color: red }

1
00:00.000 --> 00:00.400 align:start
<v Anna>house

00:00:00.800 --> 00:00:01.600
<b>good</b>
bye
"""
SRT = """1
00:00:00,000 --> 00:00:00,400
house

2
00:00:00,800 --> 00:00:01,600
{\\an8}good
bye

""".replace("\n", "\r\n")


@pytest.mark.parametrize(("name", "text"), [("talk.vtt", VTT), ("talk.gloss.vtt", VTT), ("talk.srt", SRT)])
def test_subtitles(talk, tmp_path, name, text):
    path = imitations.put(talk.parent / name, text.encode())
    assert prepare(path, tmp_path / "out", "--shares", 0, 0) == command.DONE
    assert times(made(tmp_path)) == {"house": (0, 0.4), "good bye": (0.8, 1.6)}
    assert {clip.signer for clip in made(tmp_path).clips} == ({"Anna", ""} if name.endswith("vtt") else {""})


def test_a_track_of_subtitles(talk, tmp_path, capsys):
    imitations.put(talk.parent / "talk.gloss.srt", SRT)
    imitations.put(talk.parent / "talk.en.srt", SRT.replace("house", "a house"))
    assert prepare(talk.parent, tmp_path / "out", "--tier", "en", "--shares", 0, 0) == command.DONE
    assert set(times(made(tmp_path))) == {"a house", "good bye"}
    assert prepare(talk.parent, tmp_path / "o", "--tier", "de") == command.NOTHING
    assert "no annotations of de: 2 files" in capsys.readouterr().err
    imitations.put(talk.parent / "other.srt", SRT)
    assert prepare(talk.parent / "other.srt", tmp_path / "o") == command.NOTHING
    assert "its video is not there; expected other.mp4" in capsys.readouterr().err
    imitations.put(talk.parent / "talk.vtt", SRT)
    assert prepare(talk.parent / "talk.vtt", tmp_path / "o") == command.NOTHING
    assert "does not begin with WEBVTT" in capsys.readouterr().err


def test_columns_that_say_where_a_sign_is(talk, tmp_path, capsys):
    for number, head in enumerate(("begin,end", "Begin,Stop", "start_time,stop_time", "Start (s),End (s)")):
        path = table(talk, f"{head},room", "a,0.4,0.8,7", "b,1.2,,7", "c,,,7")
        assert prepare(path, tmp_path / str(number), "--shares", 0, 0) == command.DONE
        assert times(load_dataset(tmp_path / str(number))) == {"a": (0.4, 0.8), "b": (1.2, 2), "c": (None, None)}
        said = capsys.readouterr().out
        assert "note: not used: column room\n" in said
        assert "1 row without an end, taken to the video's; the first: table.csv line 3" in said
        assert "1 row without a start and an end, whose whole video is the clip; the first: table.csv line 4" in said
    assert prepare(table(talk, "from,to", "a,0.4,0.8"), tmp_path / "o", "--shares", 0, 0) == command.NOTHING
    assert capsys.readouterr().err.startswith("note: not used: columns from, to\n")
    assert prepare(table(talk, "start,end_frame", "a,0.4,20"), tmp_path / "p") == command.NOTHING
    assert "start is in seconds, end_frame in frames; give both in one of them" in capsys.readouterr().err
    rows = "a,400,800", "b,0:20,0:21"
    assert prepare(table(talk, "start,end", *rows, "c,0,1"), tmp_path / "q", "--shares", 0, 0) == command.PARTLY
    lines = [line for line in capsys.readouterr().err.splitlines() if "behind the end" in line]
    assert ["look like milliseconds" in line for line in lines] == [True, False]


def test_annotations_that_are_left_out_are_named(talk, tmp_path, capsys):
    imitations.put(talk.parent / "talk.gloss.srt", SRT)
    imitations.put(talk.parent / "talk.srt", SRT)
    assert prepare(talk.parent, tmp_path / "out", "--tier", "gloss") == command.DONE
    said = capsys.readouterr().out
    assert "1 file of subtitles of another track, or none, left out: talk.srt" in said
    assert "too few for valid and test: of one label 3 clips are needed" in said
    assert prepare(talk.parent, tmp_path / "o") == command.NOTHING
    assert "2 files of annotations in it, such as talk.gloss.srt: --tier NAME" in capsys.readouterr().err
    elan(talk.parent / "talk.eaf", *TWO, annotation(3, "ts4", "ts3", "back"))
    flags = ["--tier", "Gloss right", "--train-signers", "nobody"]
    assert prepare(talk.parent, tmp_path / "o", *flags) == command.NOTHING
    said = capsys.readouterr().err.splitlines()[-2:]
    assert said[0].startswith("left out: 1 row or file; talk.eaf 1.6 to 0.8 s: ") and "nobody is not in" in said[1]


def test_a_folder_with_another_data_set_is_left_alone(talk, tmp_path, capsys):
    assert prepare(table(talk, "start,end", "a,0.4,0.8", "b,1,2"), tmp_path / "out", "--shares", 0, 0) == command.DONE
    before = (tmp_path / "out" / "clips.csv").read_bytes()
    other = imitations.put(tmp_path / "else" / "wave" / "film.mp4", imitations.film(seed=2))
    imitations.put(other.parent.parent / "stop" / "film2.mp4", imitations.film(seed=1))
    assert prepare(other.parent.parent, tmp_path / "out", "--shares", 0, 0) == command.NOTHING
    assert "holds 2 clips of other videos, such as talk_0000400_0000800" in capsys.readouterr().err
    assert (tmp_path / "out" / "clips.csv").read_bytes() == before


def test_folders_of_pictures(tmp_path, capsys):
    for number, (label, take) in enumerate((label, take) for label in ("wave", "stop") for take in (1, 2, 3)):
        imitations.pictures(tmp_path / "in" / label / str(take), 3, number)
    assert prepare(tmp_path / "in", tmp_path / "out") == command.NOTHING
    assert "--rate N reads folders of pictures" in " ".join(capsys.readouterr().err.split())
    assert prepare(tmp_path / "in", tmp_path / "out", "--rate", 10, "--pad", 1) == command.DONE
    assert "--pad: no video has an interval" in " ".join(capsys.readouterr().out.split())
    data = made(tmp_path)
    assert {clip.rate for clip in data.clips} == {10} and len(data.clips) == 6
    assert prepare(tmp_path / "in", tmp_path / "out", "--rate", 10) == command.DONE
    assert "nothing to do: all 6" in capsys.readouterr().out
    for transfer in ("link", "hardlink", "copy"):
        assert prepare(tmp_path / "in", tmp_path / "out", "--rate", 10, "--transfer", transfer) == command.DONE
        one = made(tmp_path).clips[0].video(data.folder)
        assert one.is_symlink() == (transfer == "link") and len(list(one.iterdir())) == 3
    assert frame.main(["--data", str(tmp_path / "out"), "--frames", "4", "--short-side", "32", "--workers", "1"]) == 0
    first = imitations.put(data.clips[0].video(data.folder) / "00002.jpg", b"changed")
    assert first.exists() and frame.main(["--data", str(tmp_path / "out"), "--frames", "5", "--workers", "1"]) == 1
    assert "its content is not the one in clips.csv" in capsys.readouterr().err
    assert prepare(tmp_path / "in", tmp_path / "out", "--rate", 10) == command.DONE
    assert "1 video written, 5 were already there" in capsys.readouterr().out


def test_a_table_of_folders_of_pictures(tmp_path, capsys):
    for number in range(4):
        imitations.pictures(tmp_path / "in" / f"c{number}", 6, number)
    rows = "\n".join(f"c{number},{label}" for number, label in enumerate("abab"))
    path = imitations.put(tmp_path / "in" / "t.csv", f"video,label\n{rows}\n")
    assert prepare(path, tmp_path / "out") == command.NOTHING
    assert "say the rate in frames/s: --rate, or a column rate" in capsys.readouterr().err
    text = path.read_text().replace("label", "label,rate,start_frame,end_frame").replace(",a", ",a,10,2,3")
    path.write_text(text)
    assert prepare(path, tmp_path / "out", "--rate", 12) == command.DONE
    found = {(clip.label, clip.rate, clip.start, clip.end) for clip in made(tmp_path).clips}
    assert found == {("a", 10, 0.1, 0.3), ("b", 12, None, None)}


def test_whoever_withdraws_is_deleted_from_longer_videos_and_pictures(talk, tmp_path):
    imitations.pictures(talk.parent / "shots", 3)
    rows = ("talk.mp4,a,anna,0.2,0.6,", "talk.mp4,b,anna,0.8,1.2,", "shots,a,anna,,,10", "b.mp4,a,ben,0,1,")
    imitations.put(talk.parent / "b.mp4", imitations.film(seed=4))
    table = imitations.put(talk.parent / "t.csv", "\n".join(["video,label,signer,start,end,rate", *rows]))
    assert prepare(table, tmp_path / "out", "--train-signers", "anna,ben") == command.DONE
    data = made(tmp_path)
    assert frame.main(["--data", str(data.folder), "--short-side", "32", "--workers", "1"]) == 0
    withdrawal.remove_from_data(data.folder, [clip for clip in data.clips if clip.signer == "anna"])
    left = [path for path in data.folder.rglob("*.*") if path.is_file() and path.name != ".lock"]
    assert {path.suffix for path in left} == {".csv", ".mp4", ".zip"} and len(left) == 4
    assert [clip.signer for clip in made(tmp_path).clips] == ["ben"]
