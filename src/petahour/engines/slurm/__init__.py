"""The Slurm engine: an allocation is one Slurm job. Slurm starts and kills, Petahour decides and meters."""
