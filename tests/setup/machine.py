"""A make-believe machine for tools/setup.sh: a copy of the scripts, and stand-ins on PATH.

Only what cannot be had in a test is stood in for: the package manager, the disk's size, the network
(uv and pip), the user's rights. The scripts are the real ones.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
STOOD_IN = {"apt-get", "apt-cache", "dpkg-query", "dpkg", "sudo", "df", "id", "uv"}

# uv that makes a venv which looks like one, and writes down what it was called with.
UV = r"""#!/bin/bash
echo "$*" >> "$MACHINE/uv.calls"
env | grep -E '^(UV_|SSL_CERT_FILE)' > "$MACHINE/uv.environment"
case "$1 $2" in
    "--version "*) echo "uv 0" ;;
    "cache dir") echo "$MACHINE/cache" ;;
    "venv "*)
        for last; do :; done
        mkdir -p "$last/bin"
        [ ! -e "$MACHINE/hang.venv" ] || { touch "$MACHINE/hanging"; sleep 60; }
        echo "include-system-site-packages = true" > "$last/pyvenv.cfg"
        printf '#!/bin/bash\ncase "$2" in *purelib*) echo %s ;; esac\n' "$last" > "$last/bin/python"
        chmod +x "$last/bin/python" ;;
    "pip install")
        [ ! -e "$MACHINE/hang.install" ] || { touch "$MACHINE/hanging"; sleep 60; }
        [ ! -e "$MACHINE/uv.error" ] || { cat "$MACHINE/uv.error" >&2; exit 2; } ;;
esac
"""


@dataclass
class Machine:
    """A checkout in `folder`/checkout and the programs that its set-up script meets.

    Attributes:
        folder: temporary; the stand-ins read their orders from files in it.
        variables: further environment variables of the script.
    """

    folder: Path
    variables: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.checkout = self.folder / "checkout"
        self.checkout.mkdir()
        shutil.copytree(ROOT / "tools", self.checkout / "tools")
        for name in ("setup.py", "pyproject.toml"):
            shutil.copy(ROOT / name, self.checkout)
        for path in ROOT.glob("requirements_*.txt"):
            shutil.copy(path, self.checkout)
        self.programs = self.folder / "programs"
        self.programs.mkdir()
        for place in (Path("/usr/bin"), Path("/bin")):
            for program in place.iterdir():
                link = self.programs / program.name
                if program.name not in STOOD_IN and not link.is_symlink():
                    link.symlink_to(program)
        self.stand_in("dpkg-query", "echo install ok installed")
        self.stand_in("id", "echo 0")
        self.stand_in("df", "echo header; echo disk 200000 100000 90000 50% /")
        self.variables.setdefault("KUAVO_ROS_ROOT", str(self.folder / "no-noetic"))
        self.have_uv()

    def stand_in(self, name: str, body: str) -> None:
        """Put a program `name` with the shell `body` on PATH."""
        _script(self.programs / name, f"#!/bin/bash\n{body}\n")

    def have_uv(self, pip_configuration: str = "") -> None:
        """Give the checkout its private uv, whose pip knows `pip_configuration`."""
        place = self.checkout / ".tools" / "uv" / "bin"
        place.mkdir(parents=True, exist_ok=True)
        _script(place / "uv", UV)
        (self.folder / "pip.list").write_text(pip_configuration)
        _script(place / "python", '#!/bin/bash\ncat "$MACHINE/pip.list"\n')

    def forget_uv(self) -> None:
        """As on a fresh machine: no private uv."""
        shutil.rmtree(self.checkout / ".tools" / "uv")

    def environment(self) -> dict[str, str]:
        """What the script sees."""
        return {
            "PATH": str(self.programs),
            "HOME": str(self.folder),
            "MACHINE": str(self.folder),
            "LANG": "C.UTF-8",
            **self.variables,
        }

    def setup(self, script: str = "setup.sh") -> subprocess.CompletedProcess[str]:
        """Run tools/setup.sh (or another script of tools/) to its end."""
        return subprocess.run(
            [str(self.checkout / "tools" / script)],
            env=self.environment(),
            timeout=60,
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            check=False,
            cwd="/",
        )

    def start_setup(self) -> subprocess.Popen[str]:
        """Start tools/setup.sh in a process group of its own."""
        return subprocess.Popen(
            [str(self.checkout / "tools" / "setup.sh")],
            env=self.environment(),
            cwd="/",
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            stdin=subprocess.DEVNULL,
            text=True,
            start_new_session=True,
        )

    def calls(self) -> list[str]:
        """What uv was called with so far."""
        path = self.folder / "uv.calls"
        return path.read_text().splitlines() if path.exists() else []


def _script(path: Path, text: str) -> None:
    path.unlink(missing_ok=True)
    path.write_text(text)
    os.chmod(path, 0o755)
