"""The parts of the simulation node: publishers, subscribers, services, the expert's pilot."""
