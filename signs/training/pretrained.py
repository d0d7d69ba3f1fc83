"""Where an I3D starts: the published weights, or another model's.

start.check("kinetics", "rgb"); start.fetch("kinetics", ["rgb", "flow"]); start.load(model, "kinetics", "rgb")
"""

from pathlib import Path

from signs.command import Problem
from signs.inference.bundle import Stream, is_bundle, load_bundle
from signs.models import kinetics


def check_pretrained(weights: str, stream: str) -> Stream | None:
    """The stream of a bundle to start from, or None for published weights; raises Problem where there is none such."""
    if not is_bundle(weights):
        kinetics.check_weights(weights, stream)
        return None
    streams = load_bundle(Path(weights)).streams
    for one in streams:
        if one.modality == stream and one.network == "i3d":
            return one
    raise Problem(f"{weights}: no I3D on {stream} in it, only {', '.join(one.name for one in streams)}")


def fetch_pretrained(weights: str, streams: list[str]) -> None:
    """Bring the published weights of all streams, where they are what is named and are not there yet."""
    if not is_bundle(weights):
        for stream in streams:
            kinetics.checkpoint(weights, stream)


def load_pretrained(model, weights: str, stream: str) -> None:
    """Give a network of `model_i3d.build_i3d` the weights to start from."""
    from signs.models import i3d
    from signs.models.weights import copy_weights, load_kinetics_checkpoint

    trained = check_pretrained(weights, stream)
    if trained is None:
        load_kinetics_checkpoint(model, kinetics.checkpoint(weights, stream))
        return
    source = i3d.build_i3d(**trained.arguments)
    source.load_weights(Path(weights) / trained.files["weights"])
    copy_weights(source, model)
