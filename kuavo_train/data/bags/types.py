"""Decodes messages with the definitions that the bag itself carries."""

from __future__ import annotations

import re
import struct
from typing import Any

from rosbags.serde import SerdeError
from rosbags.typesys import Stores, get_types_from_msg, get_typestore
from rosbags.typesys.base import TypesysError

from kuavo_train.data.bags.errors import BagRefused
from kuavo_train.data.bags.scan import Connection, RawMessage

_DAMAGE = (SerdeError, ValueError, LookupError, AssertionError, OverflowError, struct.error)


_CONSTANT = re.compile(r"^([ \t]*[a-z]\w*[ \t]+)(\w+)([ \t]*=)", re.MULTILINE)


def message_types(definition: str, name: str) -> dict[str, Any]:
    """The types in a ROS 1 message definition, for a `rosbags` type store.

    rosbags knows constants by their capitals and takes `int8 kError = -1`, as the claw's state
    has it, for a field with a default; ROS 1 has no defaults, so whatever has one is a constant.

    Args:
        definition: the definition's text, with those of the messages in it.
        name: of the message, as `kuavo_msgs/msg/lejuClawState`.
    """
    capitals = _CONSTANT.sub(lambda m: m[1] + m[2].upper() + m[3], definition)
    return get_types_from_msg(capitals, name)


class Decoder:
    """Turns raw messages into objects with the message's fields."""

    def __init__(self) -> None:
        self._store = get_typestore(Stores.ROS1_NOETIC)
        self._known: dict[str, str] = {}

    def __call__(self, message: RawMessage) -> Any:
        """The message, decoded.

        Raises:
            BagRefused: its definition or its bytes are damaged.
        """
        connection = message.connection
        name = self._known.get(connection.type) or self._learn(connection)
        try:
            return self._store.deserialize_ros1(message.data, name)
        except _DAMAGE as error:
            raise BagRefused(
                f"a message on {connection.topic} is not a {connection.type}: {error}"
            ) from error

    def _learn(self, connection: Connection) -> str:
        name = connection.type.replace("/", "/msg/")
        try:
            types = message_types(connection.definition, name)
            new = {key: value for key, value in types.items() if key not in self._store.fielddefs}
            if name in types and name not in new:
                # The robot's own definition wins over the standard one of the same name.
                _, md5 = self._store.generate_msgdef(name)
                if md5 != connection.md5:
                    raise BagRefused(
                        f"{connection.topic} is a {connection.type} of another version "
                        f"(MD5 {connection.md5}, expected {md5})"
                    )
            self._store.register(new)
        except (TypesysError, KeyError, ValueError, SyntaxError) as error:
            raise BagRefused(
                f"the definition of {connection.type} on {connection.topic} is damaged: {error}"
            ) from error
        self._known[connection.type] = name
        return name
