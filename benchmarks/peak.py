"""Run a script and print the largest resident memory of its process, in megabytes, as the last line.

python benchmarks/peak.py train_lstm.py --data data_set/demo ...
"""

import resource
import subprocess
import sys

if __name__ == "__main__":
    code = subprocess.run([sys.executable, *sys.argv[1:]]).returncode
    print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024)
    sys.exit(code)
