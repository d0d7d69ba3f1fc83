"""What makes Adam push weights below 2^-100: the decay of a weight, by kind of decay and by what else moves it.

    python benchmarks/bench_l2.py

Mullick & Namboodiri (ICIP 2017) took 905 thousand of 1.15 million weights away that lay below 2^-100, and do not say
what had put them there. First Keras's Adam moves single weights in float32, from 0.05, by gradients of three kinds:
`dead`, none at all (the input of a weight, or what it feeds, is always zero); `noise`, of mean zero and the standard
deviation given; `died`, such noise for 2,000 steps and then none. With them goes a decay: decoupled (`weight-decay` of
`--recipe`), or a penalty in the loss, the weight's square (`l2`) or its magnitude. Printed: after how many steps it is
below 2^-100, or its end. Then loop.py trains a small network (two layers of 128, ReLU, eight made-up classes) with
such decays, with and without batch normalisation: the share of its kernels' weights below 2^-100, and its accuracy on
other samples with and without these. The last line is JSON.
"""

import json
import sys
from pathlib import Path

import numpy as np
from rich import console, table

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from signs import command
from signs.inference.bundle import load_keras

HERE = Path(__file__).resolve().parent
START, LIVED, BLOCK = 0.05, 2000, 100
WEIGHTS = {
    "dead": (0.0, 0),
    "noise 1e-2": (1e-2, None),
    "noise 1e-6": (1e-6, None),
    "died 1e-2": (1e-2, LIVED),
    "died 1e-4": (1e-4, LIVED),
}
DECAYS = [
    ("none", 0.0),
    ("weight decay", 1e-2),
    ("weight decay", 1e-1),
    ("magnitude", 1e-4),
    ("l2", 1e-6),
    ("l2", 1e-5),
    ("l2", 1e-4),
    ("l2", 1e-3),
]
CLASSES, INPUTS, BATCH = 8, 128, 32
RECIPES = [{}, {"weight_decay": 1e-2}, {"l2": 1e-3}, {"l2": 1e-2}]


def fall(decay: str, strength: float, steps: int, rate: float) -> list[dict]:
    """A row for each of WEIGHTS: steps until it is below TINY (None: never), and its magnitude at the end."""
    from signs.training import pruning

    import keras
    import tensorflow as tf

    tf.random.set_seed(0)
    weights = keras.Variable(np.full(len(WEIGHTS), START, np.float32))
    optimiser = keras.optimizers.Adam(rate, weight_decay=strength if decay == "weight decay" else None)
    optimiser.build([weights])
    noise = np.array([deviation for deviation, _ in WEIGHTS.values()], np.float32)
    until = np.array([steps if last is None else last for _, last in WEIGHTS.values()])

    @tf.function
    def block(start):
        for step in tf.range(start, start + BLOCK):
            gradient = tf.random.normal([len(WEIGHTS)]) * tf.where(step < until, noise, 0)
            if decay == "l2":
                gradient += 2 * strength * weights.value
            if decay == "magnitude":
                gradient += strength * tf.sign(weights.value)
            optimiser.apply([gradient], [weights])

    below = [None] * len(WEIGHTS)
    for start in range(0, steps, BLOCK):
        block(tf.constant(start, tf.int64))
        magnitudes = np.abs(np.asarray(weights))
        below = [
            start + BLOCK if first is None and one < pruning.TINY else first
            for first, one in zip(below, magnitudes, strict=True)
        ]
    return [
        {"decay": decay, "strength": strength, "weight": name, "below": first, "end": float(one)}
        for name, first, one in zip(WEIGHTS, below, magnitudes, strict=True)
    ]


def samples(count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """(count, INPUTS) float32 and (count, CLASSES): a direction a class, in noise."""
    rng = np.random.default_rng(seed)
    means = np.random.default_rng(0).normal(0, 0.25, (CLASSES, INPUTS))
    labels = rng.integers(0, CLASSES, count)
    noisy = means[labels] + rng.normal(0, 1, (count, INPUTS))
    return noisy.astype(np.float32), np.eye(CLASSES, dtype=np.float32)[labels]


def train(recipe: dict, normalised: bool, steps: int, rate: float) -> dict:
    """Train the small network; a row of what became of its weights."""
    from signs.training import loop, pruning
    from signs.training.recipe import Phase, Recipe

    import keras

    keras.utils.set_random_seed(0)
    inputs = x = keras.Input((INPUTS,))
    for _ in range(2):
        x = keras.layers.Dense(INPUTS, use_bias=not normalised)(x)
        x = keras.layers.BatchNormalization(momentum=0.9)(x) if normalised else x
        x = keras.layers.ReLU()(x)
    model = keras.Model(inputs, keras.layers.Dense(CLASSES)(x))
    loop.compile_model(model, Phase("all", 1, rate), Recipe(**recipe), steps)
    model.steps_per_execution = BLOCK
    seen, targets = samples(20 * BATCH, 1)
    order = np.random.default_rng(2).integers(0, len(seen), steps * BATCH)
    model.fit(seen[order], targets[order], batch_size=BATCH, shuffle=False, verbose=0)
    new, truth = samples(2000, 3)

    def accuracy() -> float:
        return float(np.mean(model.predict(new, verbose=0).argmax(axis=1) == truth.argmax(axis=1)))

    whole = accuracy()
    masks = pruning.prune(model, threshold=pruning.TINY)
    below = np.mean(~np.concatenate([mask.ravel() for mask in masks.values()]))
    return {**recipe, "normalised": normalised, "below": float(below), "accuracy": whole, "without": accuracy()}


def main(argv=None) -> int:
    flags = command.parser(__doc__)
    flags.add_argument("--steps", type=int, default=30_000, metavar="N", help="of Adam")
    flags.add_argument("--learning-rate", type=float, default=1e-3, help="of Adam")
    args = flags.parse_args(argv)
    load_keras()
    rows = [row for decay in DECAYS for row in fall(*decay, args.steps, args.learning_rate)]
    shown = table.Table("decay", *WEIGHTS, title=f"steps until below 2^-100; or never in {args.steps:,}, and its end")
    for number in range(0, len(rows), len(WEIGHTS)):
        own = rows[number : number + len(WEIGHTS)]
        cells = [f"{row['below']:,}" if row["below"] else f"never, {row['end']:.0e}" for row in own]
        shown.add_row(f"{own[0]['decay']} {own[0]['strength']:g}", *cells)
    console.Console().print(shown)
    shown = table.Table("network", "decay", "below 2^-100", "accuracy", "without these", title=f"{args.steps:,} steps")
    trained = [
        train(recipe, normalised, args.steps, args.learning_rate) for normalised in (False, True) for recipe in RECIPES
    ]
    for recipe, row in zip(2 * RECIPES, trained, strict=True):
        said = " ".join(f"{name} {value:g}" for name, value in recipe.items()) or "none"
        shown.add_row(
            "batch norm" if row["normalised"] else "plain",
            said,
            f"{row['below']:.1%}",
            f"{row['accuracy']:.1%}",
            f"{row['without']:.1%}",
        )
    console.Console().print(shown)
    print(json.dumps({"steps": args.steps, "learning_rate": args.learning_rate, "weights": rows, "networks": trained}))
    return command.DONE


if __name__ == "__main__":
    sys.exit(command.run(main))
