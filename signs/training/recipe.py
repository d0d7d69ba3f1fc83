"""How a stream is trained: its phases, optimiser and loss, and three recipes by name.

Recipe() is that of Sarhan & Frintrop (2020). `strong` adds what came after it; `compact` is for small networks from a
random start, `landmark` for points.
"""

from dataclasses import dataclass

from signs.training.options import option

import numpy as np

# What differs from the defaults of Recipe and Augmentation; `views` of a clip are averaged when it is predicted.
# fmt: off
RECIPES = {
    "paper": {},
    "strong": {"patience": 15, "schedule": "cosine", "warm_up": 1.0, "ema": 0.99, "smoothing": 0.1, "balance": True,
               "colour": 0.1, "zoom": 0.15, "part": 0.7, "mixup": 0.2, "views": 2},
    "compact": {"patience": 15, "schedule": "cosine", "warm_up": 1.0, "ema": 0.98,
                "zoom": 0.15, "rotation": 10.0, "part": 0.8},
    "landmark": {"patience": 200, "schedule": "cosine", "warm_up": 3.0, "ema": 0.98, "weight_decay": 0.05,
                 "dropout": 0.3},
}
# fmt: on
NAMED = ("paper", "strong", "compact")  # those of pictures, which any training of pictures may take


@dataclass(frozen=True)
class Phase:
    """Some epochs at one learning rate. `top_only`: only layers whose names begin with `Logits` are trained; `frozen`:
    layers whose names begin with one of these are not."""

    name: str
    epochs: int
    learning_rate: float
    top_only: bool = False
    frozen: tuple[str, ...] = ()

    def trains(self, layer: str) -> bool:
        """Whether the layer of that name learns."""
        return (layer.startswith("Logits") or not self.top_only) and not layer.startswith(self.frozen)


@dataclass(frozen=True)
class Recipe:
    """How a stream is trained; epochs and learning rate are the script's own flags.

    The cosine falls to 0 (Loshchilov & Hutter 2017), weight decay is theirs of 2019. Why l2: Adam drives dead weights
    to 0 (docs/compact.md).
    """

    patience: int = option(5, "epochs without a lower validation loss, after which training ends", least=1)
    schedule: str = option("constant", "of the learning rate", choices=("constant", "cosine"))
    warm_up: float = option(0.0, "epochs in which a cosine first rises", least=0)
    ema: float = option(
        0.0,
        "decay of a running mean of the weights, which is validated and kept; 0.98: of some 50 steps",
        least=0,
        below=1,
    )
    accumulate: int = option(1, "batches whose gradients are added up for one step", least=1)
    weight_decay: float = option(0.0, "share of a weight that a step takes away, times the learning rate", least=0)
    clip_norm: float = option(0.0, "longest gradient of a step, of all weights together; 0: any", least=0)
    l2: float = option(0.0, "all kernels' squares, times this, in the loss; for compress.py --threshold", least=0)
    balance: bool = option(False, "rare classes weigh more")
    dropout: float = option(0.5, "share of the features that a training drops", least=0, below=1)
    top_epochs: int = option(3, "epochs of a new top alone, before everything trains at a tenth of the rate", least=0)

    def class_weights(self, targets: np.ndarray) -> dict[int, float] | None:
        """{class: weight of its clips' loss}, for the class indices of the training clips."""
        if not self.balance:
            return None
        counts = np.bincount(targets)
        # The mean over the clips is 1; a class without clips has no loss to weigh.
        mean = len(targets) / np.count_nonzero(counts)
        return {label: mean / count for label, count in enumerate(counts) if count}
