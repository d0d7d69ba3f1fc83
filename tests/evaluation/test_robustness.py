"""What each change does to the frames, and that a model is measured on the changed ones."""

from signs.clips.dataset import Dataset, load_dataset
from signs.command import Problem
from signs.evaluation import robustness

import numpy as np
import pytest

import tiny


def changed(name: str, frames, times):
    (change,) = [change for title, *change in robustness.changes(frames, times) if title.startswith(name)]
    return change


@pytest.fixture
def frames():
    return np.stack([tiny.moving(6, 48, 64)])[0], np.arange(6) / 30


def test_changes(frames):
    images, times = frames
    kept = images.copy()
    dark, blurred, shifted, crushed = (changed(name, images, times)[0] for name in ("dark", "blur", "shift", "recomp"))
    assert dark.mean() == pytest.approx(images.mean() * robustness.DARKER, rel=0.05)
    sharp, soft = (np.abs(np.diff(one.astype(int), axis=2)).mean() for one in (images, blurred))
    assert soft < 0.95 * sharp
    assert np.abs(shifted[:, 8:-8, 10:-10].astype(int) - np.roll(images, (5, 6), (1, 2))[:, 8:-8, 10:-10]).mean() < 6
    assert 0.5 < np.abs(crushed.astype(int) - images).mean() < 30
    half, slow = changed("half", images, times)
    assert np.array_equal(half, images[::2]) and np.array_equal(slow, times[::2])
    assert np.array_equal(changed("mirrored", images, times)[0][:, :, ::-1], images)
    assert np.array_equal(images, kept), "the next change starts from the same frames"
    for _, seen, when in robustness.changes(images, times):
        assert seen.dtype == np.uint8 and len(seen) == len(when) and seen.shape[1:] == images.shape[1:]


def test_a_model_that_sees_light_alone_loses_in_the_dark(demo):
    data = load_dataset(demo)
    clips = data.split("test")

    class Light:
        """Right as long as the picture is as bright as the demo's."""

        class bundle:  # noqa: N801
            streams = ()

            class spec:  # noqa: N801
                class stored:  # noqa: N801
                    short_side, landmark = 64, None

        def predict(self, frames, times):
            self.seen = frames.shape
            label = (
                next(label for label, bright in self.light.items() if abs(bright - frames.mean()) < 5)
                if any(abs(bright - frames.mean()) < 5 for bright in self.light.values())
                else "?"
            )
            return [(label, 1.0)]

    from signs.clips.video import read_video

    one = Light()
    one.light = {clips[0].label: read_video(clips[0].video(demo), 64)[0].mean()}
    found = robustness.measure_robustness(one, data, clips[:1])
    assert found["clips"] == 1 and found["top1"] == 1 and not found["failed"] and one.seen[1] == 64
    by_name = {name.split()[0].rstrip(","): row for name, row in found["changes"].items()}
    assert by_name["darker"]["top1"] == 0 and by_name["darker"]["difference"]["value"] == -1
    assert by_name["mirrored"]["top1"] == 1 and by_name["half"]["difference"]["value"] == 0


def test_without_videos_there_is_one_line(demo, tmp_path, loaded):
    data = load_dataset(demo)
    with pytest.raises(Problem, match="robustness needs them.*no such file"):
        robustness.measure_robustness(loaded, Dataset(tmp_path, data.clips, data.classes), data.split("test")[:2])
