"""`kuavo eval proxy`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any, Optional

import typer

from kuavo_cli.jsonio import write_json

app = typer.Typer(pretty_exceptions_enable=False)


@app.command()
def proxy(
    folders: Annotated[
        list[Path], typer.Argument(help="Offline evaluations and folders of trials.")
    ],
    out: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option(help="New folder for scores.json and report.html."),
    ] = None,
    json: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option("--json", help="Write the document here too."),
    ] = None,
) -> None:
    """Does the offline score predict success? Spearman, Pearson and MMRV over checkpoints.

    Checkpoints are matched by their weights; five with both are needed, else: unvalidated.

    Example:

      kuavo eval proxy outputs/eval/offline outputs/eval/sim --out outputs/eval/proxy
    """
    from kuavo_eval.folder import PROXY, EvaluationFolder
    from kuavo_eval.provenance import provenance
    from kuavo_eval.validity.page import render
    from kuavo_eval.validity.run import validity

    document = validity(folders)
    document["verdict"] = _verdict(document)
    document["provenance"] = provenance(sys.argv, None)
    if out:
        with EvaluationFolder(out, PROXY) as folder:
            folder.finish(document, render)
    typer.echo(document["verdict"]["text"])
    if out:
        typer.echo(f"report: {out / 'report.html'}")
    if json:
        write_json(json, document)


def _verdict(document: dict[str, Any]) -> dict[str, str]:
    """For the first offline number that there is."""
    from kuavo_eval.report.text import shown
    from kuavo_eval.statistics.proxy import UNVALIDATED
    from kuavo_eval.validity.page import NAMES

    if not document["overall"]:
        return {"text": f"{UNVALIDATED}: no offline number for all checkpoints.", "level": "open"}
    measure, one = next(iter(document["overall"].items()))
    if one["status"] == UNVALIDATED:
        return {"text": f"{UNVALIDATED}: {one['why']}.", "level": "open"}
    text = (
        f"{NAMES[measure].capitalize()} and success of {one['checkpoints']} checkpoints: "
        f"Spearman {shown(one['spearman'])}, Pearson {shown(one['pearson'])}, "
        f"MMRV {shown(one['mmrv'], 'fraction')}."
    )
    return {"text": text, "level": "plain"}
