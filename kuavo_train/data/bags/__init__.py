"""Bags of the robot: read in one streaming pass, whole or damaged, and aligned to the head camera.

`scan` yields raw messages, `types` decodes them, `tracks` turns topics into numbers over time,
`align` picks what belongs to each frame, `convert` writes the episode.
"""
