"""Names of the robot's topics, services and parameters, and of the cameras' features."""

from __future__ import annotations

SENSORS = "/sensors_data_raw"
JOINT_CMD = "/joint_cmd"
ARM_TRAJ = "/kuavo_arm_traj"
ARM_TRAJ_SYNCED = "/kuavo_arm_traj_synced"
ARM_TARGET_POSES = "/kuavo_arm_target_poses"
CLAW_STATE = "/leju_claw_state"
CLAW_COMMAND = "/leju_claw_command"
DEXHAND_STATE = "/dexhand/state"
DEXHAND_COMMAND = "/control_robot_hand_position"
GRIPPER_STATE = "/gripper/state"
GRIPPER_COMMAND = "/gripper/command"
HEAD_COMMAND = "/robot_head_motion_data"
CMD_POSE_WORLD = "/cmd_pose_world"
CMD_POSE_WORLD_SYNCED = "/cmd_pose_world_synced"
CMD_POSE = "/cmd_pose"
CMD_VEL = "/cmd_vel"
ODOM = "/odom"
PAUSE_STATE = "/kuavo/pause_state"
STOP_STATE = "/kuavo/stop_state"

CHANGE_ARM_MODE = "/arm_traj_change_mode"
CHANGE_ARM_MODE_ALTERNATIVE = "/humanoid_change_arm_ctrl_mode"
GET_ARM_MODE = "/humanoid_get_arm_ctrl_mode"

CAMERAS = ("head_cam_h", "wrist_cam_l", "wrist_cam_r")
CAMERA_TOPICS = {
    "head_cam_h": "/cam_h/color/image_raw/compressed",
    "wrist_cam_l": "/cam_l/color/image_raw/compressed",
    "wrist_cam_r": "/cam_r/color/image_raw/compressed",
}
DEPTH_TOPICS = {
    "depth_h": "/cam_h/depth/image_raw/compressedDepth",
    "depth_l": "/cam_l/depth/image_rect_raw/compressedDepth",
    "depth_r": "/cam_r/depth/image_rect_raw/compressedDepth",
}
IMAGE_FEATURES = {camera: "observation.images." + camera for camera in CAMERAS}
DEPTH_FEATURES = {depth: "observation." + depth for depth in DEPTH_TOPICS}
STATE_FEATURE = "observation.state"
ACTION_FEATURE = "action"

ARM_MODE_KEEP = 0
ARM_MODE_AUTO_SWING = 1
ARM_MODE_EXTERNAL = 2
