"""Tiny imitations of public data sets, with the names, columns and traps that their own pages tell of."""

import json
import tempfile
from functools import cache
from pathlib import Path

import cv2

import tiny

RATE = 25


@cache
def film(frames: int = 50, seed: int = 0, rate: int = RATE) -> bytes:
    """A video of tiny moving pictures."""
    with tempfile.TemporaryDirectory() as folder:
        images = tiny.moving(frames, 32, 32, seed)
        return tiny.encode(Path(folder) / "a.mp4", images, rate=rate, gop_size=10).read_bytes()


def put(path: Path, content: bytes | str | list | dict) -> Path:
    """A file of a set; lists and tables are written as JSON."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return path


def pictures(folder: Path, count: int = 2, seed: int = 0, name: str = "{:05d}.jpg") -> None:
    for number, image in enumerate(tiny.moving(count, 32, 32, seed), 1):
        put(folder / name.format(number), cv2.imencode(".jpg", image)[1].tobytes())


def wlasl(folder: Path) -> None:
    """Three signs: cut files called by video_id, one whole video of YouTube with two signs in it, and missing ones."""

    def row(video, signer, split, url="http://aslbricks.org/a.mp4", start=1, end=-1):
        known = {"bbox": [0, 0, 9, 9], "fps": 25, "frame_start": start, "frame_end": end, "instance_id": 0}
        known |= {"signer_id": signer, "source": "x", "split": split, "url": url, "variation_id": 0}
        return {**known, "video_id": video}

    tube = "https://www.youtube.com/watch?v=dQw4w9WgXcQ"
    entries = [
        {
            "gloss": "book",
            "instances": [
                row("69241", 118, "train"),
                row("65225", 7, "val"),
                row("07068", 9, "test", tube, 11, 30),
                row("07069", 118, "train", "https://youtu.be/AAAAAAAAAAA"),
            ],
        },
        {
            "gloss": "drink",
            "instances": [
                row("17710", 118, "train"),
                row("17711", 9, "test", tube, 31, 49),
                row("17712", 9, "test", tube, 200, 249),
                row("17713", 3, "val"),
                row("17714", 118, "valid"),
            ],
        },
        {"gloss": "computer", "instances": [row("12306", 118, "train")]},
    ]
    put(folder / "WLASL_v0.3.json", entries)
    put(folder / "WLASL_v0.2.json", entries[:1])
    for number, name in enumerate(["69241", "65225", "17710", "17714"]):
        put(folder / "videos" / f"{name}.mp4", tiny.avi(number))
    put(folder / "raw_videos" / "dQw4w9WgXcQ.mp4", film())
    put(folder / "raw_videos" / "DQW4W9WGXCQ.mp4", film(seed=5))


def ms_asl(folder: Path) -> None:
    """Three signs of one video, one of them listed with frames of another rate; a signer in two splits."""

    def row(label, start, end, signer, url="www.youtube.com/watch?v=bbbbbbbbbbb&t=2", fps=25.0):
        frames = {"start": round(start * 25), "end": round(end * 25), "fps": fps}
        return {"org_text": "x", "clean_text": "x", "label": label, "start_time": start, "end_time": end} | frames | {
            "signer_id": signer, "box": [0, 0, 1, 1], "url": url, "width": 32, "height": 32, "signer": 0,
        }  # fmt: skip

    put(folder / "MSASL_classes.json", ["nice", "teacher", "eat"])
    train = [row(0, 0.0, 0.8, 1), row(1, 0.8, 1.6, 1), row(2, 1.0, 1.5, 2, fps=12.5), row(9, 0.0, 1.0, 2)]
    put(folder / "MSASL_train.json", train)
    put(
        folder / "MSASL_val.json",
        [row(0, 1.6, 2.0, 1), row(1, 0.0, 1.0, 3, "https://www.youtube.com/watch?v=gone0000000")],
    )
    put(folder / "MSASL_test.json", [row(0, 0.2, 0.9, 4), row(1, 5.0, 6.0, 4), row(2, 1.0, 1.0, 4), {"label": 1}])
    put(folder / "bbbbbbbbbbb.mp4", film())


def autsl(folder: Path) -> None:
    """Colour and depth, lists without a header, two of one name."""
    samples = [("train", 0, 1, 1), ("train", 0, 2, 2), ("train", 1, 1, 1), ("val", 2, 1, 2), ("test", 3, 1, 1)]
    for number, (split, signer, sample, _) in enumerate(samples):
        put(folder / split / f"signer{signer}_sample{sample}_color.mp4", tiny.avi(number))
        put(folder / split / f"signer{signer}_sample{sample}_depth.mp4", tiny.avi(number + 100))
    (folder / "train" / "signer0_sample2_depth.mp4").unlink()
    names = {"train": "train_labels.csv", "val": "ground_truth.csv", "test": "ground_truth.csv"}
    for split, name in names.items():
        rows = [f"signer{signer}_sample{sample},{label}" for part, signer, sample, label in samples if part == split]
        put(folder / split / name, "\n".join([*rows, "signer9_sample9,3"] if split == "train" else rows) + "\n")
    put(
        folder / "SignList_ClassId_TR_EN.csv", "ClassId,TR,EN\n0,abla,sister\n1,acele,hurry\n2,aç,hungry\n3,ağaç,tree\n"
    )


def lsa64(folder: Path) -> None:
    """Two signs of three people, once cut and once raw, and one name that is none."""
    for number, (sign, signer) in enumerate((s, p) for s in (1, 38) for p in (1, 2, 3, 10)):
        name = f"{sign:03d}_{signer:03d}_001.mp4"
        put(folder / "lsa64_cut" / "all" / name, tiny.avi(number))
        put(folder / "lsa64_raw" / "all" / name, tiny.avi(number + 50))
    put(folder / "lsa64_cut" / "all" / "065_001_001.mp4", tiny.avi(99))


def slovo(folder: Path) -> None:
    """One video cut, one whole, one of no_event, one missing; labels in Cyrillic that differ in an accent alone."""
    head = "attachment_id\tuser_id\twidth\theight\tlength\ttext\ttrain\tbegin\tend"
    rows = [
        "aa-1\tu1\t32\t32\t20\tмои\tTrue\t40\t60",
        "aa-2\tu2\t32\t32\t50\tмой\tTrue\t10\t30",
        "aa-3\tu3\t32\t32\t50\tмой\tFalse\t10\t30",
        "aa-4\tu1\t32\t32\t50\tno_event\tTrue\t0\t0",
        "aa-5\tu4\t32\t32\t50\tмои\tFalse\t10\t30",
        "aa-6\tu4\t32\t32\t50\tмои\tTrue\t300\t330",
    ]
    put(folder / "annotations.csv", "\n".join([head, *rows]))
    for number, frames in ((1, 20), (2, 50), (3, 50), (4, 50), (6, 50)):
        put(folder / "train" / f"aa-{number}.mp4", film(frames, number))


def asl_citizen(folder: Path) -> None:
    """A gloss that differs in capitals alone, a row that stands twice, a video that is missing."""
    head = "Participant ID,Video file,Gloss,ASL-LEX Code"
    rows = {
        "train": ["P1,1-HELLO.mp4,HELLO,A_1", "P1,2-BYE.mp4,BYE,A_2", "P1,2-BYE.mp4,BYE,A_2"],
        "val": ["P2,3-hello.mp4,Hello,A_1"],
        "test": ["P3,4-BYE.mp4,BYE,A_2", "P3,5-BYE.mp4,BYE,A_2"],
    }
    for split, lines in rows.items():
        put(folder / "ASL_Citizen" / "splits" / f"{split}.csv", "\n".join([head, *lines]))
    for number, name in enumerate(["1-HELLO", "2-BYE", "3-hello", "4-BYE"]):
        put(folder / "ASL_Citizen" / "videos" / f"{name}.mp4", tiny.avi(number))


def include(folder: Path) -> None:
    """Videos of one name in two folders, some below Extra; lists with and without validation."""
    train = ["Animals/4. Bird/Extra/MVI_3045.MOV", "Greetings/48. Hello/MVI_0039.MOV", "Seasons/Ex. Monsoon/MVI_1.MOV"]
    val, test = ["Animals/4. Bird/MVI_2.MOV"], ["Greetings/50. Alright/MVI_0039.MOV", "Greetings/48. Hello/MVI_77.MOV"]
    for split, places in (("train", train), ("val", val), ("test", test)):
        put(folder / "lists" / f"include_{split}.txt", "\n".join(places))
    put(folder / "lists" / "include50_train.txt", train[1])
    put(folder / "train_include.csv", ",Category,Word,FilePath\n0,Animals,Bird," + train[0])
    for number, place in enumerate([*train, *val, test[0]]):
        put(folder / place, tiny.avi(number))


def jester(folder: Path) -> None:
    """Folders of pictures; one row whose folder is missing; test rows without labels."""
    rows = {
        "train": "1;Swiping Left\n2;No gesture\n3;Swiping Left\n77;Swiping Left\n",
        "validation": "10;Swiping Left\n",
        "test": "20\n",
    }
    for split, text in rows.items():
        put(folder / f"jester-v1-{split}.csv", text)
    put(folder / "jester-v1-labels.csv", "Swiping Left\nNo gesture\nDoing other things\n")
    for number in (1, 2, 3, 10, 20):
        pictures(folder / "20bn-jester-v1" / str(number), 3, number)


def ipn_hand(folder: Path) -> None:
    """Two videos, one of them as a folder of its frames; an interval that ends two frames behind the last one."""
    rows = ["1CM1_1_R_#217,D0X,1,1,10,10", "1CM1_1_R_#217,B0A,2,11,30,20", "1CM1_1_R_#217,G05,8,31,52,22"]
    put(folder / "annotations" / "Annot_TrainList.txt", "\n".join(rows))
    rows = ["1CV12_2_L_#9,D0X,1,1,4,4", "1CV12_2_L_#9,G05,8,5,8,4", "1CV12_2_L_#9,G05,8,90,120,31"]
    put(folder / "annotations" / "Annot_TestList.txt", "\n".join(rows))
    put(folder / "videos" / "1CM1_1_R_#217.avi", film(50, rate=30))
    pictures(folder / "frames" / "1CV12_2_L_#9", 9, name="1CV12_2_L_#9_{:06d}.jpg")


SETS = {
    "wlasl": wlasl,
    "ms-asl": ms_asl,
    "autsl": autsl,
    "lsa64": lsa64,
    "slovo": slovo,
    "asl-citizen": asl_citizen,
    "include": include,
    "jester": jester,
    "ipn-hand": ipn_hand,
}
