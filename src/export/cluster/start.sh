#!/usr/bin/env bash
# Trains on with the authors' PAPO code, from the folder that this file lies in.
#
#   PAPO_DIR=/path/to/PAPO N_GPUS=2 bash start.sh [key=value ...]
#
# PAPO_DIR: a checkout of github.com/MikeWangWZHL/PAPO with its requirements installed (its scripts/install.sh).
# N_GPUS: GPUs a machine (default 1); N_NODES: machines of the Ray cluster (default 1). Further keys go to its command
# line and win over papo.yaml.
set -euo pipefail

here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
commit=fb63bf4533b78da5a2bb17bc812375dcb620887d
papo="${PAPO_DIR:-$here/PAPO}"

if [ ! -f "$papo/verl/trainer/main.py" ]; then
  echo "There is no PAPO code in $papo. Clone it, check out $commit, install it, and set PAPO_DIR." >&2
  exit 1
fi
if found="$(git -C "$papo" rev-parse HEAD 2>/dev/null)" && [ "$found" != "$commit" ]; then
  echo "Note: $papo is at $found; papo.yaml was made for $commit." >&2
fi

export PYTHONUNBUFFERED=1
export RAY_memory_usage_threshold=0.98
export PYTHONPATH="$papo${PYTHONPATH:+:$PYTHONPATH}"

# Paths are absolute here: the processes of Ray may run elsewhere.
cd "$here"
exec python3 -m verl.trainer.main \
  config="$here/papo.yaml" \
  data.train_files="$here/data/train" \
  data.val_files="$here/data/val" \
  worker.actor.model.model_path="$here/model" \
  worker.reward.reward_function="$here/reward.py:compute_score" \
  trainer.n_gpus_per_node="${N_GPUS:-1}" \
  trainer.nnodes="${N_NODES:-1}" \
  "$@"
