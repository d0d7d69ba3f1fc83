"""The other side of bench_flow.py: TV-L1 of OpenCV contrib and of scikit-image, in an environment of their own.

    python -m venv env && env/bin/pip install opencv-contrib-python-headless scikit-image
    env/bin/python benchmarks/reference_flow.py [threads]

Reads a line of JSON a request, {"method": "opencv" | "skimage", "parameters": {...}, "pair": "a.npy", "out": "b.npy"},
and answers {"seconds": ...}: so both sides are timed in turn, on the same machine in the same minute.
"""

import json
import sys
import time

import cv2
import numpy as np
import skimage
from skimage.registration import optical_flow_tvl1


def opencv(pair, parameters):
    names = {
        "scales": "nscales",
        "scale_step": "scaleStep",
        "inner": "innnerIterations",  # OpenCV's spelling
        "outer": "outerIterations",
        "median": "medianFiltering",
    }
    solver = cv2.optflow.DualTVL1OpticalFlow_create(
        **{names.get(name, name): value for name, value in parameters.items()}
    )
    return solver.calc(pair[0], pair[1], None)


def scikit_image(pair, parameters):
    """Its pyramid always halves and it always does 10 iterations a warp; the number of warps is as asked."""
    rows, columns = optical_flow_tvl1(pair[0], pair[1], num_warp=parameters["warps"], num_iter=10)
    return np.dstack([columns, rows]).astype(np.float32)


def main() -> None:
    cv2.setNumThreads(int(sys.argv[1]) if len(sys.argv) > 1 else 1)
    print(json.dumps({"opencv": cv2.__version__, "skimage": skimage.__version__}), flush=True)
    for line in sys.stdin:
        request = json.loads(line)
        pair = np.load(request["pair"])
        started = time.perf_counter()
        flow = {"opencv": opencv, "skimage": scikit_image}[request["method"]](pair, request["parameters"])
        seconds = time.perf_counter() - started
        np.save(request["out"], flow)
        print(json.dumps({"seconds": seconds}), flush=True)


if __name__ == "__main__":
    main()
