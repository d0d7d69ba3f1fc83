"""How sure an answer is: what a bundle carries of it and what is done with it; calibration.py learns it.

    model/<run>/calibration.json    written by evaluate.py with `--split valid`, read by whatever predicts

The probability of an answer stays what the networks say, the mean of the streams. Its `confidence` is that after one
temperature for the bundle (Guo et al., On Calibration of Modern Neural Networks, 2017): of answers with confidence 0.7
seven in ten should be right. An answer below the threshold is `not known`.
"""

import json
import math
from dataclasses import asdict, dataclass, field
from pathlib import Path

from signs import command
from signs.command import Problem
from signs.inference import predictions

import numpy as np
from scipy.special import softmax

CALIBRATION_FILE = "calibration.json"
FALSE_ALARMS = 0.1  # share of false answers that may be given, by default


@dataclass(frozen=True)
class Calibration:
    """What evaluate.py learnt about a bundle's answers.

    weights: of the streams, empty where all count alike; threshold: of the confidence, None where every answer is
    given; about: how they were found; model: hash of each weight file that they belong to.
    """

    temperature: float = 1.0
    weights: dict[str, float] = field(default_factory=dict)
    threshold: float | None = None
    about: dict = field(default_factory=dict)
    model: dict[str, str] = field(default_factory=dict)

    def fuse(self, streams: dict[str, np.ndarray]) -> np.ndarray:
        """{stream: (..., classes)} -> (..., classes) probabilities."""
        return predictions.fuse(streams, self.weights)

    def calibrated(self, probabilities: np.ndarray) -> np.ndarray:
        """(..., classes) probabilities -> the same, as sure as they should be."""
        return tempered(probabilities, self.temperature)

    def known(self, confidence: float, gesture: bool = True) -> bool:
        """Whether an answer is given; one that names no gesture is never rejected."""
        return not gesture or self.threshold is None or confidence >= self.threshold

    def write(self, folder: Path) -> None:
        command.write_text(folder / CALIBRATION_FILE, json.dumps(asdict(self), indent=1) + "\n")


def unsure(confidence: float, threshold: float) -> str:
    """`not sure: 59.2%, an answer needs 59.4%`, with as many digits as tell them apart."""
    digits = next((digits for digits in range(4) if f"{confidence:.{digits}%}" != f"{threshold:.{digits}%}"), 4)
    return f"not sure: {confidence:.{digits}%}, an answer needs {threshold:.{digits}%}"


def load_calibration(folder: Path, model: dict[str, str]) -> Calibration:
    """The calibration of a bundle; the plain one where there is none, or it belongs to other weights."""
    try:
        calibration = Calibration(**json.loads((folder / CALIBRATION_FILE).read_text(encoding="utf-8")))
        numbers = [calibration.temperature, calibration.threshold or 0, *calibration.weights.values()]
        if not (1e-3 <= calibration.temperature <= 1e3 and all(0 <= number < math.inf for number in numbers)):
            raise ValueError
    except FileNotFoundError:
        return Calibration()
    except (ValueError, TypeError, AttributeError, RecursionError):
        raise Problem(f"{folder / CALIBRATION_FILE}: damaged; delete it and run evaluate.py --split valid") from None
    return calibration if calibration.model == model else Calibration()


def tempered(probabilities: np.ndarray, temperature: float) -> np.ndarray:
    """Probabilities whose logarithms are divided by the temperature; float64."""
    if temperature == 1:
        return probabilities
    return softmax(np.log(np.maximum(probabilities, 1e-30)) / temperature, axis=-1)
