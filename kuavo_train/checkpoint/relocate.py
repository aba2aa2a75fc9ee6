"""Tell stock lerobot where a checkpoint lies now.

lerobot finds a VLM by the path written in `config.json` and the preprocessor. This project's own
loader ignores that path and takes the folder's `vlm/`; a copied checkpoint needs this only for
other tools. Weights and lineage stay as they are.
"""

from __future__ import annotations

import dataclasses
import json
import shutil
from pathlib import Path

from kuavo_train.checkpoint import manifest as manifests
from kuavo_train.checkpoint.atomic import atomic_folder
from kuavo_train.checkpoint.manifest import read_manifest, verify
from kuavo_train.checkpoint.writer import VLM

_CONFIG = "config.json"
_PREPROCESSOR = "policy_preprocessor.json"


def relocate(folder: Path, vlm: str | None = None) -> str:
    """Rewrite the VLM's path in a checkpoint; returns the path written.

    Args:
        folder: the checkpoint.
        vlm: what to write; default: the folder's own `vlm/`, absolute.
    """
    folder = Path(folder)
    manifest = read_manifest(folder)
    verify(folder, manifest)
    name = vlm or str((folder / VLM).absolute())
    with atomic_folder(folder) as work:
        shutil.copytree(folder, work, dirs_exist_ok=True)
        config = json.loads((work / _CONFIG).read_text(encoding="utf-8"))
        config["vlm_model_name"] = name
        (work / _CONFIG).write_text(json.dumps(config, indent=4), encoding="utf-8")
        pipeline = json.loads((work / _PREPROCESSOR).read_text(encoding="utf-8"))
        for step in pipeline["steps"]:
            if "tokenizer_name" in step.get("config", {}):
                step["config"]["tokenizer_name"] = name
        (work / _PREPROCESSOR).write_text(json.dumps(pipeline, indent=2), encoding="utf-8")
        renewed = dataclasses.replace(manifest, files=manifests.hash_files(work))
        (work / manifests.FILE).write_text(renewed.to_json(), encoding="utf-8")
    return name
