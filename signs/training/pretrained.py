"""Where an I3D starts: the published weights, or another model's, as `--weights` names them."""

from pathlib import Path

from signs.command import Problem
from signs.inference.bundle import Stream, is_bundle, load_bundle
from signs.models import kinetics


def check_pretrained(weights: str, stream: str) -> Stream | None:
    """The stream of a bundle to start from, or None for published weights; raises Problem where it has none."""
    if not is_bundle(weights):
        kinetics.check_weights(weights, stream)
        return None
    streams = load_bundle(Path(weights)).streams
    for row in streams:
        if row.modality == stream and row.network == "i3d":
            return row
    raise Problem(f"{weights}: no I3D on {stream} in it, only {', '.join(row.name for row in streams)}")


def start_of(weights: str, stream: str) -> Path | None:
    """The weight file of the bundle to start from, or None for published weights."""
    trained = check_pretrained(weights, stream)
    return Path(weights) / trained.files["weights"] if trained else None


def fetch_pretrained(weights: str, streams: list[str]) -> None:
    """Fetch the published weights of all streams, unless they are here already or `weights` is a bundle."""
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
