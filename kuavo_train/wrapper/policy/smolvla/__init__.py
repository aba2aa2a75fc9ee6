"""SmolVLA behind `SmolVLAPolicyWrapper`."""
