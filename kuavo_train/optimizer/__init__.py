"""How weights follow their gradients."""

KINDS = ("adamw", "muon")
