"""What a pixel of a labelled frame can show; a frame's `classes` are indices into it."""

CLASSES = (
    "background", "left_arm", "left_hand", "right_arm", "right_hand", "parcel", "area", "scale",
    "display", "bin", "tray", "belt", "tunnel", "table", "bottle", "mat", "workpiece", "bushing",
    "material_box", "marked_cell", "flow_rack", "placement_rack",
)  # fmt: skip
