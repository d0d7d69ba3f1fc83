"""What does Dask cost? The same clips through frame.py's work with joblib's processes and with `--cluster local:N`.

    python benchmarks/bench_cluster.py --data data_set/demo --workers 2 --clips 60 --repeat 3

Both have their processes there and warm before a round; rounds alternate, so other work on the machine meets both.
Printed: seconds and seconds of processors (this process and all below it) of a round, the median, and what Dask takes
more. The last line is JSON.
"""

import argparse
import functools
import json
import os
import statistics
import sys
import tempfile
import time
from collections import defaultdict
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from signs import cluster, command
from signs.clips.dataset import Clip, load_dataset
from signs.clips.spec import StoredSpec

import psutil

import frame


def processors() -> float:
    """Seconds that this process and those below it have worked."""
    own = psutil.Process()
    return sum(sum(each.cpu_times()[:2]) for each in (own, *own.children(recursive=True)))


def extract(item: Clip, folder: Path, output: Path) -> int:
    return frame.extract(item, folder, StoredSpec(), item.archive(output, "frame"))[0]


def main(argv=None) -> int:
    flags = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    flags.add_argument("--data", type=Path, required=True, help="a prepared data set, with its videos")
    flags.add_argument("--workers", type=int, default=2, metavar="N", help="processes of each")
    flags.add_argument("--clips", type=int, default=60, metavar="N", help="of the data set, the first ones")
    flags.add_argument("--repeat", type=int, default=3, metavar="N", help="rounds")
    args = flags.parse_args(argv)
    items = [(item.clip, item) for item in load_dataset(args.data).clips[: args.clips]]
    here = argparse.Namespace(cluster=f"local:{args.workers}", workers=args.workers)
    spent = defaultdict(list)
    with tempfile.TemporaryDirectory() as output, cluster.opened(here) as dask:
        work = functools.partial(extract, folder=args.data, output=Path(output))
        for number in range(args.repeat + 1):
            for name, workers in {"joblib": args.workers, "dask": dask}.items():
                started, cpu = time.perf_counter(), processors()
                outcome = command.parallel(work, items, workers, name)
                assert not outcome.failed, outcome.failed
                if number:  # the first round starts and warms them
                    spent[name].append((time.perf_counter() - started, processors() - cpu))
    rows = {
        name: {"seconds": statistics.median(row[0] for row in rows), "cpu": statistics.median(row[1] for row in rows)}
        for name, rows in spent.items()
    }
    more = {part: rows["dask"][part] / rows["joblib"][part] - 1 for part in ("seconds", "cpu")}
    cells = [[name, *(f"{value:.2f}" for value in row.values())] for name, row in rows.items()]
    cells.append(["dask more", *(f"{share:.1%}" for share in more.values())])
    command.print_table(["", "seconds", "of processors"], cells)
    print(json.dumps({"clips": len(items), "load": os.getloadavg()[0], **rows, "more": more, "rounds": dict(spent)}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
