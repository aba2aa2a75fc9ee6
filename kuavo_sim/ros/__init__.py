"""The simulation behind the robot's topics: plain Python, no rospy; `kuavo_sim/nodes` wires it.

`body` obeys commands, `readings` are what the sensors say, `messages` turns them into messages.
"""
