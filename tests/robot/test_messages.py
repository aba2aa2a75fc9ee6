"""The message classes are the robot's own."""

from kuavo_deploy.robot.messages import kuavo_msgs


def test_md5_sums_are_the_robots():
    msg = kuavo_msgs()
    assert msg.sensorsData._md5sum == "f9f437eb06511eb4cb60f115760b94e5"
    assert msg.lejuClawCommand._md5sum == "57c40e80f90e7a289ae0b2488552e043"


def test_services_are_there():
    assert kuavo_msgs("srv").changeArmCtrlMode._request_class.__slots__ == ["control_mode"]
