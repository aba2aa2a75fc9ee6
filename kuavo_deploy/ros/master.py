"""What only the master knows: who publishes on a topic; and coming back after it restarted.

rospy registers once. A master that restarts has forgotten the node: its connections go on, but
nobody new finds it. `MasterLink` notices and registers everything again.
"""

from __future__ import annotations

import xmlrpc.client
from typing import Iterable, Sequence

import rosgraph
import rospy
from rospy.impl.registration import Registration, get_registration_listeners

UNREACHABLE = (OSError, rosgraph.MasterException, xmlrpc.client.Error)


class MasterLink:
    """The node's view of the master. Use it from one thread.

    Args:
        services: of this node, to be registered again too.
    """

    def __init__(self, services: Sequence[rospy.Service] = ()) -> None:
        self._master = rosgraph.Master(rospy.get_name())
        self._services = list(services)

    def publishers(self, topics: Iterable[str]) -> dict[str, list[str]]:
        """Names of the nodes that publish on each topic, this one left out.

        Raises:
            OSError: the master is not there (or another of `UNREACHABLE`).
        """
        known = dict(self._master.getSystemState()[0])
        me = rospy.get_name()
        return {topic: [n for n in known.get(topic, []) if n != me] for topic in topics}

    def renew(self) -> bool:
        """Register again if the master has forgotten this node; was that so?

        Raises:
            OSError: the master is not there (or another of `UNREACHABLE`).
        """
        me = rospy.get_name()
        if any(me in nodes for part in self._master.getSystemState() for _, nodes in part):
            return False
        if rospy.is_shutdown():
            return False  # it is this node that took its registrations back
        listeners, manager = get_registration_listeners(), rospy.topics.get_topic_manager()
        for topic, kind in manager.get_publications():
            listeners.notify_added(topic, kind, Registration.PUB)
        for topic, kind in manager.get_subscriptions():
            self._subscribe_again(topic, kind)
        for service in self._services:
            listeners.notify_added(service.resolved_name, service.uri, Registration.SRV)
        return True

    def _subscribe_again(self, topic: str, kind: str) -> None:
        # other nodes may not register again, as the robot's own: their connections are kept
        uri = rospy.get_node_uri()
        subscriber = rospy.topics.get_topic_manager().get_subscriber_impl(topic)
        if subscriber is None:
            return  # closed meanwhile: the node ends
        kept = {connection.endpoint_id for connection in subscriber.connections}
        found = self._master.registerSubscriber(topic, kind, uri)
        slave = xmlrpc.client.ServerProxy(uri)
        slave.publisherUpdate(rospy.get_name(), topic, sorted(kept | set(found)))
