"""Mirrors and certificates come from pip's configuration; ROS Noetic is used where it is."""

from __future__ import annotations

from tests.setup.machine import Machine


def seen_by_uv(machine: Machine) -> dict[str, str]:
    done = machine.setup()
    assert done.returncode == 0, done.stderr
    lines = (machine.folder / "uv.environment").read_text().splitlines()
    return dict(line.split("=", 1) for line in lines)


def test_without_a_configuration_uv_is_left_alone(machine: Machine) -> None:
    seen = seen_by_uv(machine)
    assert not {"UV_DEFAULT_INDEX", "UV_INDEX", "UV_FIND_LINKS", "UV_INDEX_STRATEGY"} & set(seen)


def test_pip_s_settings_reach_uv(machine: Machine) -> None:
    machine.have_uv(
        "global.index-url='https://mirror.lab.invalid/simple'\n"
        "global.extra-index-url='file:///srv/a\\nfile:///srv/b'\n"
        "global.find-links='/srv/wheels /srv/more'\n"
        "global.trusted-host='mirror.lab.invalid'\n"
        "global.cert='/srv/lab.crt'\n"
    )
    seen = seen_by_uv(machine)
    assert seen["UV_DEFAULT_INDEX"] == "https://mirror.lab.invalid/simple"
    assert seen["UV_INDEX"] == "file:///srv/a file:///srv/b"
    assert seen["UV_INDEX_STRATEGY"] == "unsafe-best-match"
    assert seen["UV_FIND_LINKS"] == "/srv/wheels,/srv/more"
    assert seen["UV_INSECURE_HOST"] == "mirror.lab.invalid"
    assert seen["SSL_CERT_FILE"] == "/srv/lab.crt"


def test_a_variable_wins_over_pip_s_file_and_uv_s_own_over_both(machine: Machine) -> None:
    machine.have_uv(
        ":env:.index-url='https://new.invalid'\nglobal.index-url='https://old.invalid'\n"
    )
    assert seen_by_uv(machine)["UV_DEFAULT_INDEX"] == "https://new.invalid"
    machine.variables["UV_DEFAULT_INDEX"] = "https://mine.invalid"
    (machine.checkout / ".venv" / ".kuavo-setup").unlink()
    assert seen_by_uv(machine)["UV_DEFAULT_INDEX"] == "https://mine.invalid"


def test_no_index_means_folders_only(machine: Machine) -> None:
    machine.have_uv("global.no-index='true'\nglobal.find-links='/srv/wheels'\n")
    seen_by_uv(machine)
    installs = [call for call in machine.calls() if call.startswith("pip install")]
    assert installs and all("--no-index" in call for call in installs)


def test_noetic_is_used_where_it_is(machine: Machine) -> None:
    noetic = machine.folder / "noetic"
    noetic.mkdir()
    (noetic / "setup.sh").touch()
    machine.variables["KUAVO_ROS_ROOT"] = str(noetic)
    machine.stand_in(
        "dpkg-query",
        'case "$*" in *rospy* | *ros-core*) exit 1 ;; *) echo install ok installed ;; esac',
    )
    done = machine.setup()
    assert done.returncode == 0, done.stderr
    assert f"using {noetic}" in done.stdout
    assert any("requirements_noetic.txt" in call for call in machine.calls())
