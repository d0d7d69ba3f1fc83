"""Where an I3D starts: the published weights, or another model's; imported, never run.

    start.check("kinetics", "rgb"); start.fetch("kinetics", ["rgb", "flow"]); start.load(model, "kinetics", "rgb")
"""

from pathlib import Path

from command import Problem

import bundle
import kinetics


def check(weights: str, stream: str) -> bundle.Stream | None:
    """The stream of a bundle to start from, or None for published weights; raises Problem where there is none such."""
    if not bundle.is_one(weights):
        kinetics.check(weights, stream)
        return None
    streams = bundle.load(Path(weights)).streams
    for one in streams:
        if one.modality == stream and one.network == "i3d":
            return one
    raise Problem(f"{weights}: no I3D on {stream} in it, only {', '.join(one.name for one in streams)}")


def fetch(weights: str, streams: list[str]) -> None:
    """Bring the published weights of all streams, where they are what is named and are not there yet."""
    if not bundle.is_one(weights):
        for stream in streams:
            kinetics.checkpoint(weights, stream)


def load(model, weights: str, stream: str) -> None:
    """Give a network of `model_i3d.build_i3d` the weights to start from."""
    import model_i3d

    trained = check(weights, stream)
    if trained is None:
        model_i3d.load_kinetics_checkpoint(model, kinetics.checkpoint(weights, stream))
        return
    source = model_i3d.build_i3d(**trained.arguments)
    source.load_weights(Path(weights) / trained.files["weights"])
    model_i3d.copy_weights(source, model)
