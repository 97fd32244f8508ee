"""`trace`: make, convert and list traces for the simulator."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from petahour.cli.options import AsJson
from petahour.cli.replays import FleetFile, Format, NodeList, SingleVc, Strict, Throughputs, TraceFile, tenants_of

if TYPE_CHECKING:
    from petahour.simulator.trace import Trace

app = typer.Typer(
    help="Make, convert and list traces for the simulator.", rich_markup_mode=None, no_args_is_help=True
)
Out = Annotated[Path, typer.Argument(metavar="OUT", help="The file to write; its name may end in .gz.")]


@app.command()
def formats(as_json: AsJson = False) -> None:
    """List the formats of trace files."""
    from petahour.cli.render import Column, show_json, show_table
    from petahour.simulator.readers import FORMATS, RECORDINGS

    known = FORMATS | RECORDINGS

    if as_json:
        show_json(known)
        return
    show_table((Column(title="FORMAT"), Column(title="WHAT", wraps=True)), known.items(), empty="None.")


@app.command()
def generate(
    out: Out,
    jobs: Annotated[int, typer.Option(min=1, help="How many jobs are submitted.")] = 10_000,
    days: Annotated[float, typer.Option(help="Within how many days; the trace begins on a Monday.")] = 7.0,
    seed: Annotated[int, typer.Option(min=0, help="Another one makes another trace of the same kind.")] = 0,
    tenants: Annotated[
        int | None,
        typer.Option(min=1, help="How many tenants submit; 40 without it, or one a job where that is less."),
    ] = None,
    profile: Annotated[str, typer.Option(help="mixed, or a profile's file.")] = "mixed",
    fleet: FleetFile = None,
    load: Annotated[
        float | None, typer.Option(help="Accelerator-time asked for over what the fleet offers; needs --fleet.")
    ] = None,
    scale: Annotated[float, typer.Option(help="Multiplies run times, without --load.")] = 1.0,
    as_json: AsJson = False,
) -> None:
    """Make a synthetic trace, like a real data centre's in the figures that matter.

    The same options and seed make the same trace on every machine.
    """
    from petahour.simulator.generate import GenerateOptions, read_fleet
    from petahour.simulator.generate import generate as generated

    nodes = read_fleet(fleet).nodes if fleet is not None else ()
    made = generated(
        GenerateOptions(
            jobs=jobs,
            days=days,
            seed=seed,
            tenants=tenants_of(jobs) if tenants is None else tenants,
            profile=profile,
            load=load,
            scale=scale,
            nodes=nodes,
        )
    )
    _write(made, out, as_json=as_json)


@app.command()
def convert(
    trace: TraceFile,
    out: Out,
    format_name: Format = "philly",
    single_vc: SingleVc = False,
    strict: Strict = False,
    throughputs: Throughputs = None,
    node_list: NodeList = None,
    as_json: AsJson = False,
) -> None:
    """Read a trace of any format and write it in Petahour's own."""
    from petahour.simulator.readers import ReadOptions, read_trace

    options = ReadOptions(strict=strict, single_vc=single_vc, throughputs=throughputs, nodes=node_list)
    _write(read_trace(trace, format_name, options), out, as_json=as_json)


@app.command("import-sacct")
def import_sacct(
    out: Out,
    file: Annotated[
        Path | None, typer.Option("--from", metavar="FILE", help="What sacct wrote; sacct is run without it.")
    ] = None,
    since: Annotated[str, typer.Option(help="From when, as sacct takes it, such as 2026-10-01.")] = "now-30days",
    until: Annotated[str, typer.Option(help="Until when.")] = "now",
    slurm: Annotated[
        Path | None, typer.Option(help="slurm.toml, for the types of the site's GRES; any type without it.")
    ] = None,
    slurm_conf: Annotated[Path | None, typer.Option(help="slurm.conf, where it is not in Slurm's own place.")] = None,
    strict: Strict = False,
    as_json: AsJson = False,
) -> None:
    """Make a trace of a Slurm cluster's own past, to ask what Petahour would have done with it.

    Accounts become tenants. Jobs that hold no accelerator, that never ran or that still run are left out and counted.
    """
    import tempfile

    from petahour.cli.slurm_assembly import site_gres
    from petahour.simulator.readers import ReadOptions, read_trace

    options = ReadOptions(strict=strict, gres=site_gres(slurm))
    if file is not None:
        _write(read_trace(file, "sacct", options), out, as_json=as_json)
        return
    from petahour.engines.slurm.history import write_history
    from petahour.simulator.readers.sacct import ALL_FIELDS

    with tempfile.TemporaryDirectory(prefix="petahour-sacct-") as folder:
        history = Path(folder) / "sacct.txt"
        write_history(history, fields=ALL_FIELDS, since=since, until=until, conf=slurm_conf)
        _write(read_trace(history, "sacct", options), out, as_json=as_json)


def _write(made: Trace, out: Path, *, as_json: bool) -> None:
    from petahour.cli.render import show_facts, show_json
    from petahour.cli.replays import writing
    from petahour.model.time import SECOND_MS, format_duration
    from petahour.simulator.readers import write_trace

    with writing():
        write_trace(made, out)
    last_ms = made.jobs[-1].submit_ms
    tenants = len({job.tenant for job in made.jobs})
    facts = {"file": str(out), "trace": made.name, "jobs": len(made.jobs), "excluded": len(made.excluded)}
    if as_json:
        show_json({**facts, "tenants": tenants, "last_submit_s": last_ms / SECOND_MS})
        return
    show_facts([*facts.items(), ("tenants", tenants), ("last submission", format_duration(last_ms))])
