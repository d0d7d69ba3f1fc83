"""I3D in stages is I3D, however the frames come."""

from signs.inference import streaming
from signs.inference.streaming import Stage, StreamedNetwork
from signs.models import i3d, i3d_stages

import numpy as np
import pytest

SIZE = 40


@pytest.fixture(scope="module", params=[16, 13])
def networks(request):
    """An I3D with weights as after a training, and the same in stages, for so many frames."""
    import keras

    keras.utils.set_random_seed(0)
    model, rng = i3d.build_i3d((request.param, SIZE, SIZE, 2), 5), np.random.default_rng(0)
    for weight in model.weights:
        if "moving_variance" in weight.path:
            weight.assign(rng.uniform(0.3, 1, weight.shape))
        elif "beta" in weight.path or "moving_mean" in weight.path:  # a border that is zero does not stay so
            weight.assign(rng.normal(0, 0.3, weight.shape))
    stages, tail = i3d_stages.stages(model)
    kernels = [(stage.name, stage.kernel, stage.stride, len(stage.model.inputs) > 1) for stage in stages]

    def runner(stage):
        several = len(stage.model.inputs) > 1
        return lambda frames, mask: np.asarray(stage.model([frames, mask] if several else frames))

    some = [
        Stage(plan, runner(stage)) for plan, stage in zip(streaming.plans(kernels, request.param), stages, strict=True)
    ]
    return model, StreamedNetwork(some, lambda frames: np.asarray(tail(frames)))


def clips(model, count: int) -> np.ndarray:
    return np.random.default_rng(1).uniform(-1, 1, (count, *model.input.shape[1:])).astype(np.float32)


@pytest.mark.parametrize("step", [1, 2, 5, 99])
def test_the_logits_are_those_of_the_whole_network(networks, step):
    model, streamed = networks
    for clip in clips(model, 2):
        expected = np.asarray(model(clip[None]))[0]
        streamed.reset()
        found = []
        for start in range(0, len(clip), step):
            streamed.push(clip[start : start + step])
            found.append(streamed.answer())
        assert [one for one in found[:-1] if one is not None] == []
        np.testing.assert_allclose(found[-1], expected, atol=1e-5)
        assert np.ptp(expected) > 0.1


def test_a_batch_and_a_recording_that_was_given_up(networks):
    model, streamed = networks
    batch = clips(model, 2)
    streamed.push(batch[0][:5])
    streamed.reset()
    np.testing.assert_allclose(streamed.logits(batch), np.asarray(model(batch)), atol=1e-5)


def test_work_is_done_while_frames_come(networks):
    """Positions that each stage computes after the last frame: the share that the kernels' reach makes necessary."""
    model, streamed = networks
    made = {stage.plan.name: [] for stage in streamed.stages}

    def counted(stage, run):
        def counting(frames, mask):
            out = run(frames, mask)
            made[stage.plan.name].append(out.shape[1])
            return out

        return counting

    runs = [stage.run for stage in streamed.stages]
    for stage, run in zip(streamed.stages, runs, strict=True):
        stage.run = counted(stage, run)
    (clip,) = clips(model, 1)
    streamed.reset()
    for image in clip[:-1]:
        streamed.push(image[None])
    before = {name: sum(counts) for name, counts in made.items()}
    streamed.push(clip[-1:])
    for stage, run in zip(streamed.stages, runs, strict=True):
        stage.run = run
        assert sum(made[stage.plan.name]) == stage.plan.makes
    left = [sum(made[stage.plan.name]) - before[stage.plan.name] for stage in streamed.stages]
    assert all(count <= 3 + 2 * number for number, count in enumerate(left)), left


def test_plans_are_kept_in_a_file(tmp_path):
    some = streaming.plans([("a", 7, 2, False), ("b", 3, 1, True)], 40)
    assert [(plan.takes, plan.makes, plan.pads) for plan in some] == [(40, 20, (2, 3)), (20, 20, (1, 1))]
    streaming.write_plans(tmp_path / "rgb.json", some)
    assert streaming.read_plans(tmp_path / "rgb.json") == some
