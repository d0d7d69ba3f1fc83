"""What happens at the ends of an epoch: validation, the best weights, the log, the checkpoint, early stopping."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path

from signs.training import averaging, distribute
from signs.training.averaging import Average
from signs.training.checkpoint import Checkpoint
from signs.training.log import DIGITS, HEADER, Log, Validated, logged, valid_loss, valid_words

import keras
import numpy as np
from scipy.special import softmax

SPARED = 5.0  # seconds after a checkpoint in which epochs get none: of small networks it would take as long as an epoch


class EpochStart(keras.callbacks.Callback):
    """Order, augmentation and dropout of an epoch depend on the seed and its number, in a resumed run as in an unbroken
    one. Keras counts an epoch more at the start of each `fit`, and keeps no dropout state among the weights."""

    def __init__(self, train):
        super().__init__()
        self.train = train

    def on_epoch_begin(self, epoch, logs=None):
        self.train.epoch = epoch
        for number, layer in enumerate(_dropout_layers(self.model)):
            # Each step adds one to the second.
            layer.seed_generator.state.assign([(self.train.seed + (number << 16)) % 2**32, epoch << 16])


def _dropout_layers(model: keras.Model) -> Iterator:
    """The layers that drop something at random, also in networks within the network."""
    for layer in model.layers:
        if isinstance(layer, keras.Model):
            yield from _dropout_layers(layer)
        elif getattr(layer, "seed_generator", None) is not None:
            yield layer


class Validation(keras.callbacks.Callback):
    """After each epoch, the validation clips' probabilities, on disc, and their loss and accuracy, in the logs that the
    callbacks after this one read. Keras's own validation gives the numbers, but not what they were made from.

    With weight averaging all of it is the average's.
    """

    def __init__(self, valid, folder: Path, stream: str, average: Average | None, readout: Callable):
        super().__init__()
        self.valid, self.folder, self.stream, self.average, self.readout = valid, folder, stream, average, readout

    def on_train_begin(self, logs=None):
        self.whole = distribute.whole(self.model)

    def on_epoch_end(self, epoch, logs=None):
        clips, targets = np.array([item.clip for item in self.valid.clips]), self.valid.targets
        if not np.isfinite(logs.get("loss", 0)):
            logs |= {"val_loss": np.nan, "val_accuracy": 0.0}
            return
        with averaging.averaged(self.average):
            steps = self._predict()
        logits = np.float64(self.readout(steps)[: len(clips)])  # several devices fill the last batch up
        validated = Validated(clips, targets, softmax(logits, axis=-1).astype(np.float32))
        with np.errstate(invalid="ignore"):  # Keeper ends the training
            # From the logits: a probability may be rounded to zero.
            losses = np.logaddexp.reduce(logits, axis=1) - logits[np.arange(len(targets)), targets]
        # As the log has it, by which a resumed run chooses the best epoch.
        logs |= {"val_loss": logged(losses.mean()), "val_accuracy": validated.accuracy}
        if np.isfinite(losses).all():
            validated.write(self.folder, self.stream, epoch + 1)

    def _predict(self) -> np.ndarray:
        """The network's answers to all batches."""
        if not self.valid.at_hand or self.valid.devices.count > 1:
            return self.whole.predict(self.valid, verbose=0)
        # Where Keras's loop with its threads would take as long as the network.
        return np.concatenate([self.whole.predict_on_batch(self.valid[number][0]) for number in range(len(self.valid))])


class Keeper(keras.callbacks.Callback):
    """After each epoch: a line for people, then the best weights, a row of the log and a checkpoint, in this order,
    which resuming relies on. Quick epochs share a checkpoint, and the best weights are written with it.

    Without validation the weights after epoch `until` are kept. Weights whose loss is no number, NaN or infinite, are
    lost: at the first such loss training ends, with the best epoch before it; raises Problem where there is none.
    """

    def __init__(self, folder: Path, phase: str, last: int, checkpoint: Checkpoint, average, until=None):
        """average: None without; last: number of the phase's last epoch, for people."""
        super().__init__()
        self.phase, self.last, self.checkpoint, self.average, self.until = phase, last, checkpoint, average, until
        self.stream, self.log = checkpoint.stream, Log(folder / "log.csv")
        self.best_path = folder / f"{self.stream}.weights.h5"
        losses = [] if until else [valid_loss(row) for row in self.log.rows_of(self.stream)]
        self.best_loss = min(losses, default=float("inf"))
        self.saved, self.unsaved = -np.inf, None  # when the checkpoint was written; an epoch since
        self.best = None  # the best weights, if they are not written yet

    def on_epoch_begin(self, epoch, logs=None):
        self.started = time.perf_counter()

    def on_train_batch_end(self, batch, logs=None):
        if not np.isfinite(logs["loss"]):
            self.model.stop_training = True  # then comes the end of the epoch

    def on_epoch_end(self, epoch, logs=None):
        if not np.isfinite([logs["loss"], logs.get("val_loss", 0)]).all():
            self.model.stop_training, self.unsaved = True, None
            self._write_best()
            self.checkpoint.end_at_no_number(epoch + 1, self.best_path.exists())
            return
        seconds = time.perf_counter() - self.started
        self.unsaved = epoch + 1
        learnt = f"loss {logs['loss']:.3f}  accuracy {logs['accuracy']:6.1%}{valid_words(logs)}"
        print(f"{self.stream:4} {self.phase} epoch {epoch + 1:2}/{self.last}  {learnt}  {seconds:5.1f} s", flush=True)
        spared = time.perf_counter() - self.saved < SPARED
        if epoch + 1 == self.until or logs.get("val_loss", np.inf) < self.best_loss:
            self.best_loss = logs.get("val_loss", np.inf)
            with averaging.averaged(self.average):
                self.best = self.model.get_weights()
        if not spared:
            self._write_best()
        self._log(epoch + 1, seconds, logs)
        if not spared:
            self._save()

    def on_train_end(self, logs=None):
        self._write_best()
        if self.unsaved:
            self._save()

    def _write_best(self) -> None:
        if self.best is None:
            return
        current = self.model.get_weights()
        self.model.set_weights(self.best)
        averaging.save_weights(self.model, self.best_path)
        self.model.set_weights(current)
        self.best = None

    def _save(self) -> None:
        self.checkpoint.save(self.model, self.average, self.unsaved)
        self.saved, self.unsaved = time.perf_counter(), None

    def _log(self, epoch: int, seconds: float, logs: dict) -> None:
        rate = float(keras.ops.convert_to_numpy(self.model.optimizer.learning_rate))
        row = {"stream": self.stream, "phase": self.phase, "epoch": epoch, "learning_rate": f"{rate:.3g}"}
        measured = {name: DIGITS.format(logs[name]) for name in HEADER if name in logs}
        self.log.add({**measured, **row, "seconds": f"{seconds:.1f}"})


class EarlyStopping(keras.callbacks.EarlyStopping):
    """Keras's, told of the epochs before a resume, so that its patience goes on where it stood."""

    def __init__(self, patience: int, earlier: list[dict]):
        super().__init__(monitor="val_loss", patience=patience)
        self.earlier = earlier

    def on_train_begin(self, logs=None):
        super().on_train_begin(logs)
        for row in self.earlier:
            self.on_epoch_end(int(row["epoch"]) - 1, {"val_loss": valid_loss(row)})


def is_spent(rows: list[dict], patience: int) -> bool:
    """Whether EarlyStopping ended the phase with these rows of the log, even if the run was killed right then."""
    losses = [valid_loss(row) for row in rows]
    return bool(losses) and len(losses) - 1 - losses.index(min(losses)) >= max(patience, 1)
