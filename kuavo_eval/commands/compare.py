"""`kuavo eval compare`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Optional

import typer

from kuavo_cli.errors import UserError
from kuavo_cli.jsonio import write_json

app = typer.Typer(pretty_exceptions_enable=False)


@app.command()
def compare(
    first: Annotated[Path, typer.Argument(metavar="A", help="Folder of an evaluation.")],
    second: Annotated[
        Path, typer.Argument(metavar="B", help="Another; the same one for its two checkpoints.")
    ],
    label_a: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option("--a", help="Which checkpoint of A, where it holds several."),
    ] = None,
    label_b: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option("--b", help="Which checkpoint of B."),
    ] = None,
    sequential: Annotated[
        bool,
        typer.Option(
            "--sequential", help="Trials are still coming in: statistics that one may look at."
        ),
    ] = False,
    measure: Annotated[
        str, typer.Option(help="Of offline evaluations: error (normalized) or loss.")
    ] = "error",
    alpha: Annotated[float, typer.Option(help="Level of all decisions together.")] = 0.05,
    power: Annotated[float, typer.Option(help="That 'more trials' are computed for.")] = 0.8,
    smallest: Annotated[
        float, typer.Option(help="Smallest difference of success that matters, 0…1.")
    ] = 0.1,
    seed: Annotated[int, typer.Option(help="Of resampled episodes.")] = 0,
    out: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option(help="New folder for scores.json, comparison.parquet and report.html."),
    ] = None,
    json: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option("--json", help="Write the document here too."),
    ] = None,
) -> None:
    """Is A better than B? Task by task, with Holm's correction, in plain words.

    Trials that began alike (seed, start position) are paired: exact McNemar. Others: Boschloo.
    Offline evaluations are compared over the episodes that both were scored on.

    Examples:

      kuavo eval compare outputs/eval/new outputs/eval/old --out outputs/eval/new_against_old

      kuavo eval compare outputs/eval/trials outputs/eval/trials --a blue --b green --sequential
    """
    from kuavo_eval.comparison import Options
    from kuavo_eval.comparison import compare as compared
    from kuavo_eval.comparison.page import render
    from kuavo_eval.comparison.sides import open_sides
    from kuavo_eval.folder import COMPARISON, EvaluationFolder
    from kuavo_eval.provenance import provenance
    from kuavo_eval.report.text import shown

    try:
        options = Options(alpha, power, smallest, sequential, seed, measure)
    except ValueError as error:
        raise UserError(str(error), exit_code=2) from error
    a, b = open_sides(first, second, label_a, label_b)
    document, rows = compared(a, b, options)
    document["provenance"] = provenance(sys.argv, seed)
    if out:
        import pandas as pd

        with EvaluationFolder(out, COMPARISON) as folder:
            pd.DataFrame(rows).to_parquet(folder.path / "comparison.parquet")
            folder.finish(document, render)
    typer.echo(document["verdict"]["text"])
    for item in document["different_conditions"]:
        values = (item[side] for side in ("a", "b"))
        told = " and ".join(v if isinstance(v, str) else shown(v) for v in values)
        typer.echo(f"attention: {item['what']} differs: {told}", err=True)
    if out:
        typer.echo(f"report: {out / 'report.html'}")
    if json:
        write_json(json, document)
