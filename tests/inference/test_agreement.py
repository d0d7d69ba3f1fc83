"""Whether a form may be used is decided by its logits, or where it computes less exactly by its answers."""

from signs.inference import agreement, runtime
from signs.inference.confidence import Calibration

import numpy as np
import pytest


def logits(*rows) -> dict[str, np.ndarray]:
    return {"rgb": np.array(rows, float)}


@pytest.mark.parametrize(
    ("mine", "truth", "use", "why"),
    [
        (logits([4, 0], [0, 4], [0.2, 0]), [0, 1, 0], True, ""),
        (logits([4, 0], [0, 4], [0, 0.2]), [0, 1, 0], False, "accuracy falls from 100.0% to 66.7%"),
        (logits([4, 0], [0, 4], [0, 0.2]), [0, 1, 1], True, ""),  # better, and that answer was not sure
        (logits([0, 1], [0, 4], [0.2, 0]), [1, 1, 0], False, "1 sure answer changes"),
        (logits([4, 0], [0, 4], [0.2, 0]), [-1, -1, -1], False, "no labelled validation clip"),
    ],
)
def test_a_reduced_form_is_judged_by_its_answers(mine, truth, use, why):
    before = logits([4, 0], [0, 4], [0.2, 0])
    found = agreement.compare(runtime.FORMS["openvino-int8"], mine, before, Calibration(), np.array(truth))
    assert found["use"] == use and why in found["why"]


def test_a_float32_form_is_judged_by_its_logits():
    before = logits([4, 0], [0, 4])
    form = runtime.FORMS["onnx"]
    assert agreement.compare(form, logits([4, 1e-3], [0, 4]), before, Calibration(), np.array([0, 1]))["use"]
    found = agreement.compare(form, logits([4, 0.1], [0, 4]), before, Calibration(), np.array([0, 1]))
    assert not found["use"] and "logits are 0.1 off" in found["why"] and found["equal"] == 1
