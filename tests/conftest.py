"""What several test files share: a very small demo, prepared and trained once by the scripts themselves."""

from pathlib import Path

import pytest

TRAINING = "--frames 8 --short-side 36 --crop 32 --weights none --epochs 3 --batch 8".split()


@pytest.fixture(scope="session")
def demo(tmp_path_factory) -> Path:
    """A data set of 8 signs with its frames and flow, short side 64: two signers in train, one in valid and in test."""
    import frame
    import opticalflow
    import prepare_chalearn
    import prepare_demo

    data = tmp_path_factory.mktemp("data_set") / "demo"
    download = str(data / "_download")
    assert prepare_demo.main(["--output", download, "--signers", "2", "--clips", "1", "--workers", "2"]) == 0
    assert prepare_chalearn.main(["--download", download, "--output", str(data)]) == 0
    assert frame.main(["--data", str(data), "--short-side", "64", "--workers", "2"]) == 0
    assert opticalflow.main(["--data", str(data), "--workers", "2"]) == 0
    return data


@pytest.fixture(scope="session")
def model(demo, tmp_path_factory) -> Path:
    """A bundle of both streams, trained one after the other for 3 epochs; only to be read, `copied` is to be changed."""
    import train_i3d

    output = tmp_path_factory.mktemp("model") / "demo"
    for stream in ("rgb", "flow"):
        assert train_i3d.main(["--data", str(demo), "--output", str(output), "--stream", stream, *TRAINING]) == 0
    return output


@pytest.fixture(scope="session")
def recogniser(model):
    from recogniser import Recogniser

    return Recogniser.load(model)
