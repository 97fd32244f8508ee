# A batch script as the ranks of a gang: the first rank runs the script once, as sbatch does, and what the script says
# with srun runs in every rank. The ranks share the directory they are started in, and talk by files below it.
# $1: tasks on each node; $2: the program that stands for srun; $3: the script.
[ "$LOCAL_RANK" -lt "$1" ] || exit 0
export PETAHOUR_STEPS="$PWD/.petahour-steps/$PETAHOUR_ALLOCATION_ID"
export SLURM_JOB_ID="$PETAHOUR_JOB_ID" SLURM_JOBID="$PETAHOUR_JOB_ID" SLURM_SUBMIT_DIR="$PWD"
export SLURM_JOB_NUM_NODES="$((WORLD_SIZE / LOCAL_WORLD_SIZE))" SLURM_NTASKS_PER_NODE="$1"
export SLURM_NNODES="$SLURM_JOB_NUM_NODES" SLURM_NTASKS="$((SLURM_JOB_NUM_NODES * $1))"
export SLURM_NODEID="$NODE_RANK" SLURM_LOCALID="$LOCAL_RANK" SLURMD_NODENAME="$PETAHOUR_NODE"
export SLURM_PROCID="$((NODE_RANK * $1 + LOCAL_RANK))"
[ -z "${PETAHOUR_ARRAY_INDEX:-}" ] || export SLURM_ARRAY_TASK_ID="$PETAHOUR_ARRAY_INDEX"
mkdir -p "$PETAHOUR_STEPS/bin"

# Variables that are each rank's own, whatever the script has set when it begins a step.
own() {
  case $1 in
    *RANK | *_VISIBLE_* | SLURM_PROCID | SLURM_LOCALID | SLURM_NODEID | SLURMD_NODENAME | PETAHOUR_* | HOSTNAME) ;;
    PWD | OLDPWD | SHLVL | _ | BASH*) ;;
    *) return 1 ;;
  esac
}

# Runs one step that the script began: its directory, its variables, its command. Writes how it ended.
follow() {
  local pair code
  local -a words
  while IFS= read -r -d '' pair; do
    own "${pair%%=*}" || export "$pair"
  done < "$1/environment"
  mapfile -d '' -t words < "$1/command"
  code=0
  if [ "$SLURM_PROCID" -lt "${words[0]}" ]; then
    cd "${words[1]}" && "${words[@]:2}"
    code=$?
  fi
  echo "$code" > "$1/new.$SLURM_PROCID"
  mv "$1/new.$SLURM_PROCID" "$1/code.$SLURM_PROCID"
}

if [ "$SLURM_PROCID" != 0 ]; then
  step=1
  while :; do
    if [ -e "$PETAHOUR_STEPS/$step/ready" ]; then
      follow "$PETAHOUR_STEPS/$step" &
      step=$((step + 1))
    elif [ -e "$PETAHOUR_STEPS/end" ]; then
      wait
      exit 0
    else
      sleep 0.2
    fi
  done
fi

# A signal is for the script: this shell outlives it, to let the others know of its end.
trap : TERM INT HUP USR1 USR2
printf '%s' "$2" > "$PETAHOUR_STEPS/bin/srun"
printf '%s' "$3" > "$PETAHOUR_STEPS/script"
chmod +x "$PETAHOUR_STEPS/bin/srun" "$PETAHOUR_STEPS/script"
PATH="$PETAHOUR_STEPS/bin:$PATH" "$PETAHOUR_STEPS/script"
code=$?
touch "$PETAHOUR_STEPS/end"
exit "$code"
