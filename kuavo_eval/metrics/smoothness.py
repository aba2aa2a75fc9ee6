"""How smooth a movement is: SPARC and LDLJ, both 0 at best and more negative when jerky."""

from __future__ import annotations

import numpy as np

from kuavo_deploy.robot.layout import ARM_INDICES

CUT_OFF_HZ = 10.0
"""The usual upper bound for arm movements; here never above half of the sampling rate."""
AMPLITUDE = 0.05
PADDING = 4
"""The spectrum is computed on 2^(⌈log2 L⌉ + 4) points."""


def arm_speed(stream: np.ndarray, fps: float) -> np.ndarray:
    """Norm of the 14 arm joints' velocity, shape (L − 1,) [rad/s], of actions of shape (L, D)."""
    arms = np.asarray(stream, np.float64)[:, list(ARM_INDICES)]
    return np.linalg.norm(np.diff(arms, axis=0), axis=1) * fps


def sparc(speed: np.ndarray, fps: float, cut_off: float = CUT_OFF_HZ) -> float:
    """Spectral arc length of a speed profile.

    Balasubramanian, Melendez-Calderon, Roby-Brami, Burdet, "On the analysis of movement
    smoothness", J. NeuroEng. Rehabil. 12:112 (2015), equations 7–9: the length of the normalized
    amplitude spectrum's curve up to min(cut-off, the last frequency whose amplitude reaches
    0.05), with frequency scaled to 0…1.

    Args:
        speed: shape (L,) [rad/s].
        fps: samples a second.
        cut_off: highest frequency looked at [Hz]; at most fs/2 is used.

    Returns:
        NaN for a movement that never moves, or that has gaps (NaN).
    """
    if len(speed) < 2 or not np.isfinite(speed).all() or not np.any(speed):
        return float("nan")
    points = 2 ** (int(np.ceil(np.log2(len(speed)))) + PADDING)
    spectrum = np.abs(np.fft.rfft(speed, points))
    frequency = np.fft.rfftfreq(points, 1.0 / fps)
    spectrum = spectrum / spectrum[0]
    inside = frequency <= cut_off
    spectrum, frequency = spectrum[inside], frequency[inside]
    last = int(np.nonzero(spectrum >= AMPLITUDE)[0][-1]) + 1
    if last < 2:
        return float("nan")
    spectrum, frequency = spectrum[:last], frequency[:last]
    scaled = np.diff(frequency) / (frequency[-1] - frequency[0])
    return -float(np.hypot(scaled, np.diff(spectrum)).sum())


def ldlj(speed: np.ndarray, fps: float) -> float:
    """Log dimensionless jerk of a speed profile: −ln(T³/v²_peak · ∫ |d²v/dt²|² dt).

    Balasubramanian et al. 2012 (IEEE Trans. Biomed. Eng. 59:2126), as in the article above,
    table 1.

    Args:
        speed: shape (L,) [rad/s].
        fps: samples a second.

    Returns:
        NaN for a movement that never moves, that has gaps (NaN) or that is shorter than three
        samples; infinity for a speed that changes linearly all the time.
    """
    if len(speed) < 3 or not np.isfinite(speed).all() or not np.any(speed):
        return float("nan")
    duration = len(speed) / fps
    jerk = np.diff(speed, 2) * fps**2
    value = duration**3 / float(np.max(np.abs(speed))) ** 2 * float((jerk**2).sum()) / fps
    return -float(np.log(value)) if value > 0 else float("inf")
