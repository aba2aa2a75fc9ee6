"""The room around the robot: floor, walls, light, an overview camera."""

from __future__ import annotations

from dataclasses import dataclass

import mujoco
import numpy as np

from kuavo_sim.model.names import ROBOT_XML

OVERVIEW = "overview"
_G = mujoco.mjtGeom


@dataclass(frozen=True)
class Lighting:
    """Brightness 0…1 of the lamp and of the ambient light, and where the lamp comes from [m]."""

    lamp: float = 0.62
    ambient: float = 0.32
    position: tuple[float, float, float] = (-0.2, 0.5, 3.4)

    @classmethod
    def random(cls, rng: np.random.Generator) -> Lighting:
        """A lamp that hangs and shines a little differently."""
        position = (rng.uniform(-0.5, 0.3), rng.uniform(-0.7, 0.7), rng.uniform(3.0, 3.8))
        return cls(rng.uniform(0.5, 0.72), rng.uniform(0.25, 0.4), position)


def workshop(lighting: Lighting) -> mujoco.MjSpec:
    """The robot's model in an empty workshop; scenes add their furniture and objects to it."""
    spec = mujoco.MjSpec.from_file(str(ROBOT_XML))
    spec.modelname = "kuavo_workshop"
    # in software, multisampling doubles the time of an image, and finer shadows and rounder
    # cylinders add another third: three cameras at 10 Hz would not fit on two cores
    spec.visual.quality.offsamples = 0
    spec.visual.quality.shadowsize = 768
    spec.visual.quality.numslices, spec.visual.quality.numstacks = 16, 8
    # a box's side as one quad, not 4 x 4: a third of an image's time, no visible difference
    spec.visual.quality.numquads = 1
    spec.visual.global_.offwidth, spec.visual.global_.offheight = 1280, 960
    spec.visual.map.znear, spec.visual.map.zfar = 0.01, 8.0
    # a directional lamp's shadow map covers this many extents around the centre: the work cell
    spec.visual.map.shadowclip = 2.4
    spec.stat.extent, spec.stat.center = 2.0, [0.3, 0.0, 0.8]
    ambient = [lighting.ambient] * 3
    spec.visual.headlight.ambient = ambient
    spec.visual.headlight.diffuse = [0.18] * 3
    spec.visual.headlight.specular = [0.05] * 3
    _surfaces(spec)
    _room(spec)
    spec.worldbody.add_light(
        pos=lighting.position,
        dir=np.array([0.5, 0.0, 0.8]) - lighting.position,
        diffuse=[lighting.lamp] * 3,
        specular=[0.2] * 3,
        type=mujoco.mjtLightType.mjLIGHT_DIRECTIONAL,
        castshadow=True,
    )
    spec.worldbody.add_camera(
        name=OVERVIEW,
        pos=[2.1, -1.6, 1.75],
        fovy=42,
        xyaxes=_look([2.1, -1.6, 1.75], [0.2, 0, 0.85]),
    )
    return spec


def _surfaces(spec: mujoco.MjSpec) -> None:
    builtin = mujoco.mjtBuiltin
    kinds = mujoco.mjtTexture
    spec.add_texture(
        name="sky",
        type=kinds.mjTEXTURE_SKYBOX,
        builtin=builtin.mjBUILTIN_GRADIENT,
        rgb1=[0.78, 0.83, 0.88],
        rgb2=[0.45, 0.5, 0.56],
        width=64,
        height=384,
    )
    spec.add_texture(
        name="floor", type=kinds.mjTEXTURE_2D, builtin=builtin.mjBUILTIN_CHECKER,
        rgb1=[0.52, 0.54, 0.55], rgb2=[0.49, 0.51, 0.52], width=256, height=256,
        mark=mujoco.mjtMark.mjMARK_EDGE, markrgb=[0.42, 0.44, 0.45],
    )  # fmt: skip
    floor = spec.add_material(name="floor", texrepeat=[1, 1], texuniform=True, reflectance=0.0)
    floor.textures[mujoco.mjtTextureRole.mjTEXROLE_RGB] = "floor"
    colours = {
        "wall": (0.80, 0.81, 0.79, 1),
        "steel": (0.62, 0.64, 0.67, 1),
        "dark_steel": (0.25, 0.27, 0.30, 1),
        "rubber": (0.11, 0.12, 0.13, 1),
        "wood": (0.72, 0.58, 0.42, 1),
        "white": (0.93, 0.93, 0.92, 1),
        "yellow": (0.95, 0.78, 0.10, 1),
        "safety": (0.85, 0.65, 0.08, 1),
        "plastic_blue": (0.15, 0.32, 0.62, 1),
        "plastic_grey": (0.45, 0.48, 0.52, 1),
        "black": (0.05, 0.05, 0.06, 1),
    }
    for name, rgba in colours.items():
        spec.add_material(name=name, rgba=rgba, specular=0.3, shininess=0.3)


def _room(spec: mujoco.MjSpec) -> None:
    world = spec.worldbody
    visual = {"contype": 0, "conaffinity": 0}
    world.add_geom(
        # infinite: it then stays out of the shadow map, which would speckle it
        name="floor", type=_G.mjGEOM_PLANE, size=[0, 0, 0.1], material="floor",
        contype=2, conaffinity=15,
    )  # fmt: skip
    for pos, size in (
        ([4.0, 0, 1.5], [0.05, 4.5, 1.5]),
        ([-3.5, 0, 1.5], [0.05, 4.5, 1.5]),
        ([0.25, 4.0, 1.5], [3.8, 0.05, 1.5]),
        ([0.25, -4.0, 1.5], [3.8, 0.05, 1.5]),
    ):
        world.add_geom(type=_G.mjGEOM_BOX, pos=pos, size=size, material="wall", **visual)
    for y in (3.94, -3.94):
        stripe = [0.25, y, 0.6]
        world.add_geom(
            type=_G.mjGEOM_BOX, pos=stripe, size=[3.7, 0.01, 0.05], material="safety", **visual
        )
    world.add_geom(
        type=_G.mjGEOM_BOX, pos=[3.94, 0, 0.6], size=[0.01, 3.9, 0.05], material="safety", **visual
    )


def _look(eye: list[float], target: list[float]) -> list[float]:
    """`xyaxes` of a camera at `eye` that looks at `target`, upright."""
    backward = np.subtract(eye, target)
    backward = backward / np.linalg.norm(backward)
    right = np.cross([0, 0, 1], backward)
    right /= np.linalg.norm(right)
    return [*right, *np.cross(backward, right)]
