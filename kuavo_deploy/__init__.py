"""Everything that runs beside the robot: its interface, the runtime nodes, the guard."""
