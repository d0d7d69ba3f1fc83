"""Points of body and hands that were found beside the videos already, brought along into a data set.

    <folder of the table>/landmark-30fps/<sha256>.zip  ->  <data set>/landmark-30fps/<split>/<label>/<clip>.zip

record.py finds them while takes are recorded. Whether an archive may stay is landmark.py's to say, by its clip.json:
what was found in another way, or of another file, it finds anew.
"""

import shutil
from collections.abc import Iterable
from pathlib import Path

from signs import command
from signs.clips.dataset import Clip


def bring_points(source: Path, data: Path, clips: Iterable[Clip]) -> int:
    """Copy each clip's archive from beside the table, the folder `source`, where the data set has none; how many."""
    clips, brought = list(clips), 0
    for store in sorted(source.glob("landmark-*fps")):
        jobs = [(store / f"{clip.sha256}.zip", clip.archive(data, store.name)) for clip in clips]
        jobs = [(archive, target) for archive, target in jobs if archive.is_file() and not target.exists()]
        if jobs:
            with command.lock(data / store.name, wait=True):  # landmark.py clears away what is half written
                for archive, target in jobs:
                    with command.atomic(target) as temporary:
                        shutil.copyfile(archive, temporary)
        brought += len(jobs)
    return brought
