#!/bin/bash
# Stands for srun in a batch script that Petahour runs: the command runs in every rank of the gang, here in the first.
count=$SLURM_NTASKS nodes=
while [ $# -gt 0 ]; do
  case $1 in
    --) shift; break ;;
    --ntasks=*) count=${1#*=} ;;
    -n | --ntasks) count=$2; shift ;;
    -n[0-9]*) count=${1#-n} ;;
    --nodes=*) nodes=${1#*=} ;;
    -N | --nodes) nodes=$2; shift ;;
    -N[0-9]*) nodes=${1#-N} ;;
    --*=* | -[a-zA-Z]?*) ;;
    -[cwtpAJoeixGDmb]) shift ;;
    --cpus-per-task | --nodelist | --time | --partition | --account | --job-name | --output | --error | --input) shift ;;
    --gpus | --gpus-per-node | --gpus-per-task | --gres | --mem | --ntasks-per-node | --chdir | --mpi) shift ;;
    -*) ;;
    *) break ;;
  esac
  shift
done
[ -z "$nodes" ] || [ "$count" != "$SLURM_NTASKS" ] || count=$((nodes * SLURM_NTASKS_PER_NODE))
if [ "$count" -gt "$SLURM_NTASKS" ]; then
  echo "srun: $count tasks asked for, the job has $SLURM_NTASKS" >&2
  exit 1
fi
step=1
until mkdir "$PETAHOUR_STEPS/$step" 2>/dev/null; do step=$((step + 1)); done
folder=$PETAHOUR_STEPS/$step
env -0 > "$folder/environment"
printf '%s\0' "$count" "$PWD" "$@" > "$folder/command"
touch "$folder/ready"
"$@"
worst=$?
for ((rank = 1; rank < SLURM_NTASKS; rank++)); do
  until [ -e "$folder/code.$rank" ]; do sleep 0.1; done
  read -r code < "$folder/code.$rank"
  [ "$code" -le "$worst" ] || worst=$code
done
exit "$worst"
