"""A node that ends is no node that the master has forgotten."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

pytestmark = pytest.mark.ros


def test_a_node_that_ends_does_not_register_again(monkeypatch: pytest.MonkeyPatch) -> None:
    import rospy

    from kuavo_deploy.ros.master import MasterLink

    link = MasterLink()
    forgotten = SimpleNamespace(getSystemState=lambda: ([], [], []))
    monkeypatch.setattr(link, "_master", forgotten)
    monkeypatch.setattr(rospy, "is_shutdown", lambda: True)
    assert link.renew() is False
