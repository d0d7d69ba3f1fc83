"""Batches depend on (seed, epoch) alone, cover every clip once, and show a network what prediction shows it."""

import dataclasses
import shutil

from signs.clips import preprocess, storage
from signs.clips.dataset import Dataset, load_dataset
from signs.clips.modality import TABLE
from signs.clips.spec import ClipSpec, InputSpec, StoredSpec
from signs.clips.video import read_video
from signs.command import Problem
from signs.inference import feature_file
from signs.inference.feature_file import About, Entry
from signs.training import run_folder
from signs.training.augmentation import Augmentation
from signs.training.callbacks import EpochStart
from signs.training.distribute import Devices
from signs.training.feature_batches import FeatureGenerator

import keras
import numpy as np
import pytest

from datagenerator import ClipGenerator

LABELS = [f"{number:03d}" for number in range(1, 9)]
SEES = InputSpec(frames=8, short_side=36, crop=32)


@pytest.fixture(scope="module")
def data(demo):
    return load_dataset(demo)


def generator(data, modality="rgb", clips=None, augmentation=None, **settings) -> ClipGenerator:
    spec = ClipSpec(storage.find_stored(data, "flow"), SEES)
    clips = data.split("train") if clips is None else clips
    return ClipGenerator(data, clips, spec, modality, LABELS, augmentation=augmentation, **{"batch": 6, **settings})


def equal(first, second) -> bool:
    pairs = zip(first, second, strict=True)
    return all(np.array_equal(a[0], b[0]) and np.array_equal(a[1], b[1]) for a, b in pairs)


def batches(some: ClipGenerator) -> list:
    return [some[number] for number in range(len(some))]


@pytest.mark.parametrize(("modality", "channels"), [("rgb", 3), ("flow", 2)])
def test_shapes_values_and_the_last_batch(data, modality, channels):
    found = batches(generator(data, modality))
    assert [images.shape for images, _ in found] == [(size, 8, 32, 32, channels) for size in (6, 6, 4)]
    images = np.concatenate([images for images, _ in found])
    assert images.dtype == np.float32 and images.min() >= -1 and images.max() <= 1 and images.std() > 0.01
    targets = np.concatenate([targets for _, targets in found])
    assert targets.dtype == np.float32 and targets.shape == (16, 8) and np.all(targets.sum(axis=1) == 1)
    assert [LABELS[index] for index in targets.argmax(axis=1)] == [item.label for item in data.split("train")]


def test_equal_seed_and_epoch_give_equal_batches_and_others_do_not(data):
    shake = Augmentation()
    first = batches(generator(data, augmentation=shake, seed=3, epoch=2))
    # In any order: no batch depends on the one before.
    again = generator(data, augmentation=shake, seed=3, epoch=2)
    assert equal(first, [again[number] for number in (2, 0, 1)][1:] + [again[2]])
    for other in ({"seed": 3, "epoch": 1}, {"seed": 4, "epoch": 2}):
        found = batches(generator(data, augmentation=shake, **other))
        assert not any(np.array_equal(a[0], b[0]) for a, b in zip(first, found, strict=True))


def test_every_clip_comes_once_an_epoch_in_another_order(data):
    still = Augmentation(shift=0, brightness=0)
    plain = [images.tobytes() for images in np.concatenate([images for images, _ in batches(generator(data))])]
    assert len(set(plain)) == 16
    orders = []
    for epoch in (0, 1):
        found = batches(generator(data, augmentation=still, epoch=epoch))
        orders.append([plain.index(images.tobytes()) for group, _ in found for images in group])
        targets = [target.argmax() for _, group in found for target in group]
        assert [LABELS[target] for target in targets] == [data.split("train")[place].label for place in orders[-1]]
    assert sorted(orders[0]) == sorted(orders[1]) == list(range(16))
    assert orders[0] != orders[1] != list(range(16))


def test_augmentation_moves_rgb_and_its_brightness_but_not_the_brightness_of_flow(data):
    clips = data.split("train")[:1]
    plain = {name: generator(data, name, clips)[0][0] for name in ("rgb", "flow")}
    brighter = {name: generator(data, name, clips, Augmentation(0, 0.5))[0][0] for name in ("rgb", "flow")}
    np.testing.assert_array_equal(brighter["flow"], plain["flow"])
    factor = (brighter["rgb"] + 1)[brighter["rgb"] < 0.9] / (plain["rgb"] + 1)[brighter["rgb"] < 0.9]
    assert np.nanstd(factor) < 1e-4 and 0.01 < abs(np.nanmedian(factor) - 1) <= 0.5
    for epoch in range(20):
        moved = generator(data, "rgb", clips, Augmentation(0.2, 0), epoch=epoch)[0][0]
        shifts = [(x, y) for x in range(-6, 7) for y in range(-6, 7) if same_where_both_see(plain["rgb"], moved, x, y)]
        assert len(shifts) == 1


def same_where_both_see(plain, moved, x, y) -> bool:
    """Whether `moved` is `plain` seen from (x, y) pixels further right and down, within the 2 px that exist around."""
    x0, x1, y0, y1 = max(0, -x), min(32, 32 - x), max(0, -y), min(32, 32 - y)
    return np.array_equal(moved[:, :, y0:y1, x0:x1], plain[:, :, y0 + y : y1 + y, x0 + x : x1 + x])


class Recorder(keras.Model):
    """Learns nothing, keeps the batches that Keras's own loop brings."""

    def __init__(self):
        super().__init__()
        self.seen = []

    def call(self, images):
        return images

    def train_step(self, data):
        self.seen.append(tuple(np.asarray(part) for part in data))
        return {"loss": 0.0}


@pytest.mark.parametrize("workers", [1, 4])
def test_keras_with_any_number_of_threads_brings_the_epochs_in_order(data, workers):
    shake, recorder = Augmentation(), Recorder()
    recorder.compile(run_eagerly=True)
    some = generator(data, augmentation=shake, seed=1, workers=workers)
    start = EpochStart(some)
    recorder.fit(some, initial_epoch=5, epochs=7, shuffle=False, verbose=0, callbacks=[start])
    alone = [generator(data, augmentation=shake, seed=1, epoch=epoch) for epoch in (5, 6)]
    assert equal(recorder.seen, [batch for each in alone for batch in batches(each)])


@pytest.mark.parametrize(
    "seen", [{}, {"still": "subtract", "region": "signer"}, {"region": "body"}, {"still": "subtract", "scale": "own"}]
)
def test_a_file_an_archive_and_training_show_a_network_the_same(data, seen, monkeypatch):
    """Bit for bit: what reaches `Recogniser.logits` from a video, and what the generator makes of its archives."""
    from signs.inference.bundle import Bundle, Stream
    from signs.inference.recogniser import Recogniser

    spec = ClipSpec(storage.find_stored(data, "flow"), dataclasses.replace(SEES, **seen))
    streams = [Stream(name, name, "i3d", {}, {}) for name in ("rgb", "flow")]
    someone = Recogniser(Bundle(data.folder, spec, data.classes, streams, "mean", {}), {})
    reached = {}

    def logits(stream, batch):
        reached[stream.name] = batch
        return np.zeros((1, 8))

    monkeypatch.setattr(someone, "logits", logits)
    for item in data.split("test")[:2]:
        someone.answer(*read_video(item.video(data.folder)))
        for name in ("rgb", "flow"):
            batch = ClipGenerator(data, [item], spec, name, LABELS)[0][0]
            assert reached[name].dtype == batch.dtype
            np.testing.assert_array_equal(reached[name], batch)
            archive = storage.read_archive(item.archive(data.folder, TABLE[name].stores(spec.stored)[0]))
            stream = next(stream for stream in streams if stream.name == name)
            np.testing.assert_array_equal(someone.input(stream, archive.images, archive.squares), batch)


def test_every_worker_has_work(data):
    assert [generator(data, workers=workers).max_queue_size for workers in (1, 8, 32)] == [8, 8, 32]


def test_an_unlabelled_clip_has_no_class(data):
    item = dataclasses.replace(data.split("valid")[0], label="")
    some = generator(data, clips=[data.split("valid")[0], item])
    assert some.targets.tolist()[1] == -1 and some._targets_of(np.arange(2)).sum(axis=1).tolist() == [1, 0]


ALL = Augmentation(0.1, 0.2, colour=0.2, zoom=0.2, part=0.6, mixup=0.3, smoothing=0.1)


@pytest.mark.parametrize("modality", ["rgb", "flow"])
def test_everything_that_may_be_drawn_depends_on_seed_and_epoch_alone(data, modality):
    first = batches(generator(data, modality, augmentation=ALL, seed=3, epoch=2))
    again = generator(data, modality, augmentation=ALL, seed=3, epoch=2)
    again[2]
    assert equal(first, batches(again))
    images = np.concatenate([images for images, _ in first])
    assert images.dtype == np.float32 and np.abs(images).max() <= 1
    assert all(targets.dtype == np.float32 and np.allclose(targets.sum(axis=1), 1, atol=1e-6) for _, targets in first)


def test_smoothing_and_mixing_of_targets(data):
    smooth = np.concatenate([t for _, t in batches(generator(data, augmentation=Augmentation(smoothing=0.2)))])
    assert np.allclose(np.sort(smooth, axis=1), [0.025] * 7 + [0.825])
    plain, mixed = (generator(data, augmentation=Augmentation(0, 0, mixup=alpha), seed=5)[0] for alpha in (0, 5.0))
    rows = mixed[1][mixed[1].max(axis=1) < 1]
    assert len(rows) and np.all((rows > 0).sum(axis=1) == 2) and np.allclose(rows.sum(axis=1), 1)
    share = rows.max()
    # The mixed pictures are mixed as their targets are.
    pairs = [share * a + (1 - share) * b for a in plain[0] for b in plain[0]]
    pairs += [(1 - share) * a + share * b for a in plain[0] for b in plain[0]]
    assert all(min(np.abs(image - pair).max() for pair in pairs) < 1e-5 for image in mixed[0])


def test_a_part_of_a_clip_is_seen_at_another_speed(data):
    item = data.split("train")[:1]
    stored = storage.read_archive(item[0].archive(data.folder, "frame-40x64")).images
    seen = set()
    for epoch in range(12):
        images = generator(data, clips=item, augmentation=Augmentation(0, 0, part=0.5), epoch=epoch)[0][0][0]
        every = preprocess.network_input(stored, dataclasses.replace(SEES, frames=40))
        places = [int(np.abs(every - image).mean(axis=(1, 2, 3)).argmin()) for image in images]
        assert places == sorted(places) and np.array_equal(every[places], images)
        assert 18 <= places[-1] - places[0] <= 39
        seen.add((places[0], places[-1]))
    assert len(seen) > 6


def test_colour_changes_channels_and_zoom_changes_size_and_flow(data):
    item = data.split("train")[:1]
    plain, tinted = (generator(data, clips=item, augmentation=Augmentation(0, 0, colour=c))[0][0] for c in (0, 0.3))
    factors = [np.median((tinted[..., c] + 1) / np.maximum(plain[..., c] + 1, 1e-3)) for c in range(3)]
    assert np.ptp(factors) > 0.02 and np.all(np.abs(np.array(factors) - 1) <= 0.3 + 1e-3)
    coded = preprocess.quantise_flow(np.full((8, 40, 48, 2), 2, np.float32), 20)
    near = preprocess.network_input(coded, SEES, 20.0, zoom=1.25)
    assert np.allclose(near, 1.25 * preprocess.network_input(coded, SEES, 20.0), atol=1e-6)
    ramp = np.broadcast_to(np.arange(48, dtype=np.uint8)[None, None, :, None] * 5, (8, 36, 48, 3))
    wide, close = (preprocess.network_input(ramp, SEES, zoom=zoom)[0, 0, :, 0] for zoom in (1, 1.5))
    assert np.isclose(np.ptp(wide) / np.ptp(close), 1.5, atol=0.1)


def test_devices_share_each_batch_and_each_host_reads_its_own_part(data, monkeypatch):
    """16 clips on three devices: 15 an epoch, other ones in the next; each batch is the hosts' parts together. Nor is
    more brought from a storage ahead of need: all but what is in the first batch."""
    still, read, ahead = Augmentation(shift=0, brightness=0), [], []
    one = generator(data, augmentation=still)

    def note(some, position, place):
        read.append(position)
        place.fill(position)

    monkeypatch.setattr(ClipGenerator, "_fill", note)
    monkeypatch.setattr(ClipGenerator, "_read_ahead", lambda some, positions: ahead.extend(positions))
    whole, read[:] = [images[:, 0, 0, 0, 0] for images, _ in batches(one)], []
    parts = []
    for host in range(3):
        some = generator(data, augmentation=still)
        some.devices, ahead[:] = Devices(3, 3, host), []
        parts.append([images[:, 0, 0, 0, 0] for images, _ in batches(some)])
        assert sorted(ahead) == sorted(np.concatenate(parts[-1][1:]))
    assert [len(part) for part in parts[0]] == [2, 2, 1]
    for number, expected in enumerate(whole):
        together = np.concatenate([part[number] for part in parts])
        assert np.array_equal(together, expected[: len(together)])
    assert sorted(read) == sorted(np.concatenate(whole)[:15]), "none twice"
    some.epoch = 1
    assert set(some._order()) != set(one._order()[:15])


def test_the_last_batch_of_a_validation_is_filled_up(data):
    """8 clips on three devices, in batches of 6: the ninth has no label."""
    plain, some = generator(data, clips=data.split("valid")), generator(data, clips=data.split("valid"))
    some.devices = Devices(3)
    found = batches(some)
    assert [len(images) for images, _ in found] == [6, 3]
    targets = np.concatenate([targets for _, targets in found])
    assert np.array_equal(targets[:8], np.concatenate([targets for _, targets in batches(plain)]))
    assert not targets[8].any()
    some.devices = Devices(2)
    assert [len(images) for images, _ in batches(some)] == [6, 2], "an even share needs none"


@pytest.fixture
def file(data, tmp_path):
    """Features of the training clips, 20 to 23 rows of them; a row says of which clip and frame it is."""
    clips = data.split("train")
    spec = ClipSpec(StoredSpec("all", 64), SEES)
    about = About(spec, "rgb", "small", "00ff", "none", 2)
    entries = [Entry(item.clip, item.label, 20 + place % 4, "") for place, item in enumerate(clips)]
    feature_file.create(tmp_path / "train.h5", about, entries)
    with feature_file.opened(tmp_path / "train.h5", write=True) as made:
        for place, entry in enumerate(entries):
            made.write(place, np.stack([np.full(entry.length, place), np.arange(entry.length)], axis=1))
        yield made


def of_features(data, file, augmentation=None, frames=8, sampling="even", **settings) -> FeatureGenerator:
    seen = InputSpec(frames, 36, 32, sampling=sampling)
    return FeatureGenerator(file, data.split("train"), seen, LABELS, batch=6, augmentation=augmentation, **settings)


@pytest.mark.parametrize("sampling", ["even", "run"])
@pytest.mark.parametrize("frames", [8, 50])
def test_features_are_those_that_prediction_picks(data, file, sampling, frames):
    some = of_features(data, file, frames=frames, sampling=sampling)
    found, targets = (np.concatenate(parts) for parts in zip(*batches(some), strict=True))
    assert found.shape == (16, frames, 2) and found.dtype == np.float32
    for place, rows in enumerate(found):
        assert rows[:, 0].tolist() == [place] * frames
        assert rows[:, 1].tolist() == some.spec.pick(20 + place % 4).tolist()
    assert [LABELS[index] for index in targets.argmax(axis=1)] == [item.label for item in data.split("train")]


def test_a_run_of_features_begins_anywhere_and_is_the_same_again(data, file):
    starts, still = set(), Augmentation()
    for epoch in range(12):
        found, again = (batches(of_features(data, file, still, 17, "run", epoch=epoch)) for _ in range(2))
        assert equal(found, again)
        for rows in np.concatenate([rows for rows, _ in found]):
            assert np.all(np.diff(rows[:, 1]) == 1) and rows[:, 0].min() == rows[:, 0].max()
            starts.add((int(rows[0, 0]) % 4, int(rows[0, 1])))
    for room in range(4):
        begun = {start for clips, start in starts if clips == room}
        assert begun == set(range(4 + room)), "the first, the last one that fits, and all between"


def test_even_features_of_a_part_of_the_clip(data, file):
    spans = [
        np.ptp(rows[:, 1])
        for epoch in range(6)
        for batch in batches(of_features(data, file, Augmentation(part=0.5), epoch=epoch))
        for rows in batch[0]
    ]
    assert min(spans) >= 9 and max(spans) <= 22 and len(set(spans)) > 5


def test_mixed_features_are_between_two_clips(data, file):
    rows = np.concatenate([rows for rows, _ in batches(of_features(data, file, Augmentation(mixup=0.5)))])
    assert np.all(np.ptp(rows[:, :, 0], axis=1) < 1e-4) and not np.allclose(rows[:, 0, 0], np.rint(rows[:, 0, 0]))


@pytest.mark.parametrize(("modality", "step"), [("rgb", "frame.py"), ("flow", "opticalflow.py")])
def test_few_missing_archives_are_left_out_and_many_refused_before_training(data, tmp_path, capsys, modality, step):
    stored = generator(data, modality).spec.stored
    copy = Dataset(tmp_path, data.clips, data.classes)
    store = TABLE[modality].stores(stored)[0]
    shutil.copytree(data.folder / store, tmp_path / store)
    assert run_folder.with_archives(copy, [modality], stored) == copy and not capsys.readouterr().err
    few, third = copy.split("train")[3:5], copy.split("train")[7]
    for item in few:
        item.archive(tmp_path, store).unlink()
    copy.split("test")[0].archive(tmp_path, store).unlink()
    rest = run_folder.with_archives(copy, [modality], stored)
    names = tuple(item.clip for item in few)
    assert rest.left_out == names and {*rest.clips} == {*copy.clips} - {*few}
    assert run_folder.clips_of(rest) != run_folder.clips_of(copy), "a run goes on with the same clips alone"
    said = capsys.readouterr().err
    assert f"{tmp_path / store}: lacks 2 of 16 clips of train ({', '.join(names)}): left out; {step}" in said
    assert said.count("\n") == 1 and len(said) <= 301
    third.archive(tmp_path, store).unlink()
    with pytest.raises(Problem, match=f"lacks 3 of 16 clips of train, {names[0]} among them; run {step}"):
        run_folder.with_archives(copy, [modality], stored)


def test_in_a_mirror_some_signs_are_others_and_their_clips_are_named_so(data):
    """Every other target, and every picture, is as without the pairs; a teacher's answers are exchanged too."""
    swaps, soft = (("001", "002"), ("005", "003")), np.arange(16 * 8, dtype=np.float32).reshape(16, 8)
    plain, swapped = (
        generator(data, "flow", augmentation=Augmentation(flip=True, swaps=pairs), batch=16, epoch=3)
        for pairs in ((), swaps)
    )
    plain.soft = swapped.soft = soft
    (images, targets), (again, found) = plain[0], swapped[0]
    np.testing.assert_array_equal(images, again)
    order, other = plain._order(), [1, 0, 4, 3, 2, 5, 6, 7]
    flipped = np.array([plain._draw(int(position)).flipped for position in order])
    assert 0 < flipped.sum() < 16
    np.testing.assert_array_equal(found[~flipped], targets[~flipped])
    np.testing.assert_array_equal(found[flipped], targets[flipped][..., other])
    assert (found[flipped] != targets[flipped]).any(axis=2)[:, 0].any(), "a clip of one of these labels is flipped"
    with pytest.raises(Problem, match="--flip 001=009: no label '009' in class.csv"):
        generator(data, augmentation=Augmentation(flip=True, swaps=(("001", "009"),)))
