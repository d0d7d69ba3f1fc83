"""What supports the scripts at the root, in rooms; imports go down only, and none goes back to a script.

command                 flags, exit codes, locks, progress, files written whole
clips                   the data set, its stores, videos, what a network sees of a clip
flow                    TV-L1 optical flow
models                  networks and their weights
prepare                 archives and lists into the folder contract; drawn signers
inference               from a bundle to an answer
training                the loop and what every training shares
live                    the live demo: modes, detector, window
evaluation              scores, intervals, pages and pictures
"""

import os

# Before anything heavy is imported: a broken video and a missing GPU get our one line, not twenty of a library's.
os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
# On x86 processors without VNNI TensorFlow leaves oneDNN out, and a training step of I3D takes eighty times as long.
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
