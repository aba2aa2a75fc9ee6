"""Package list, read by pip and by catkin.

Everything else (name, version, the `kuavo` command) stands in pyproject.toml; catkin's
``catkin_python_setup`` accepts no entry points here and needs name and version.
"""

from setuptools import find_packages, setup

setup(
    name="kuavo_deploy",
    version="0.1.0",
    packages=find_packages(include=["kuavo_*"]),
    package_data={
        "": ["*.xml", "*.yaml", "*.json", "*.html", "*.js", "*.css", "*.png", "py.typed"]
    },
)
