"""What is really on the wire of a topic or service: asked of its process, not of the master.

A node is connected to as a subscriber would be (TCPROS, MD5 sum `*`), but nothing is registered
with the master, so that looking at a robot leaves no trace on it. Header fields:
http://wiki.ros.org/ROS/TCPROS
"""

from __future__ import annotations

import socket
import struct
import time
import xmlrpc.client
from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO
from typing import Any
from urllib.parse import urlparse

CALLER = "/kuavo_doctor"
ANY = "*"
MAX_BYTES = 1 << 26
"""A longer message is no message of the robot's."""


class NoAnswer(RuntimeError):
    """A process that the master names cannot be talked to. `unknown_host`: its name means nothing.

    The message says why.
    """

    def __init__(self, message: str, unknown_host: str = "") -> None:
        super().__init__(message)
        self.unknown_host = unknown_host


@dataclass(frozen=True)
class Described:
    """How a process describes a topic. type: e.g. kuavo_msgs/sensorsData. md5: its sum."""

    type: str
    md5: str


class Stream:
    """An open connection to one publisher of one topic.

    Args:
        node_uri: the publisher's XML-RPC address, as the master gives it.
        topic: to listen to.
        timeout: for the connection [s].

    Raises:
        NoAnswer: it cannot be reached, or does not publish this any more.
    """

    def __init__(self, node_uri: str, topic: str, timeout: float) -> None:
        host, port = _requested(node_uri, topic, timeout)
        self._socket = _connected(host, port, timeout)
        wanted = {"callerid": CALLER, "topic": topic, "type": ANY, "md5sum": ANY}
        try:
            answer, self._buffer = _handshake(self._socket, wanted)
        except NoAnswer:
            self._socket.close()
            raise
        self.described = Described(answer.get("type", ""), answer.get("md5sum", ""))

    def messages(self, until: float) -> Iterator[tuple[float, bytes]]:
        """Time of arrival [s, wall clock] and serialized message, until a monotonic time [s]."""
        while (left := until - time.monotonic()) > 0:
            self._socket.settimeout(left)
            try:
                payload = _block(self._socket, self._buffer)
            except (OSError, NoAnswer):
                return
            yield time.time(), payload

    def close(self) -> None:
        """End the connection."""
        self._socket.close()


def call(service_uri: str, service: str, kind: Any, request: Any, timeout: float) -> Any:
    """Call a service; its response.

    Args:
        service_uri: `rosrpc://…`, as the master gives it.
        service: its name.
        kind: the service's class.
        request: of its request class.
        timeout: for every step [s].

    Raises:
        NoAnswer: it cannot be reached, speaks another version of the service, or refuses.
    """
    address = urlparse(service_uri)
    with _connected(str(address.hostname), int(address.port or 0), timeout) as connection:
        wanted = {"callerid": CALLER, "service": service, "md5sum": kind._md5sum}
        _, buffer = _handshake(connection, wanted)
        body = BytesIO()
        request.serialize(body)
        try:
            connection.sendall(struct.pack("<I", body.tell()) + body.getvalue())
            done = _take(connection, buffer, 1)
            answer = _block(connection, buffer)
        except OSError as error:
            raise NoAnswer(f"{service} does not answer ({_why(error)})") from error
    if done != b"\x01":
        raise NoAnswer(f"{service} refuses: {answer.decode('utf-8', 'replace')}")
    return kind._response_class().deserialize(answer)


def stamp_of(payload: bytes) -> float:
    """The header's stamp [s] of a serialized message whose first field is a header."""
    _, seconds, nanoseconds = struct.unpack_from("<III", payload)
    return float(seconds + nanoseconds * 1e-9)


class _Timed(xmlrpc.client.Transport):
    def __init__(self, timeout: float) -> None:
        super().__init__()
        self._timeout = timeout

    def make_connection(self, host: Any) -> Any:
        connection = super().make_connection(host)
        connection.timeout = self._timeout
        return connection


def api(uri: str, timeout: float) -> Any:
    """The XML-RPC interface of a node or master; every call ends after `timeout` [s]."""
    return xmlrpc.client.ServerProxy(uri, transport=_Timed(timeout))


def _requested(node_uri: str, topic: str, timeout: float) -> tuple[str, int]:
    try:
        code, why, protocol = api(node_uri, timeout).requestTopic(CALLER, topic, [["TCPROS"]])
    except (OSError, xmlrpc.client.Error) as error:
        raise _unreachable(urlparse(node_uri).hostname or node_uri, error) from error
    if code != 1 or len(protocol) != 3:
        raise NoAnswer(f"it does not publish {topic} any more ({why})")
    return str(protocol[1]), int(protocol[2])


def _connected(host: str, port: int, timeout: float) -> socket.socket:
    try:
        return socket.create_connection((host, port), timeout)
    except OSError as error:
        raise _unreachable(host, error) from error


def _unreachable(host: str, error: Exception) -> NoAnswer:
    unknown = host if isinstance(error, socket.gaierror) else ""
    why = "this name is unknown here" if unknown else _why(error)
    return NoAnswer(f"{host}: {why}", unknown)


def _why(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error) or type(error).__name__


def _handshake(connection: socket.socket, wanted: dict[str, str]) -> tuple[dict, BytesIO]:
    from rosgraph import network

    buffer = BytesIO()
    try:
        network.write_ros_handshake_header(connection, wanted)
        answer = network.read_ros_handshake_header(connection, buffer, 1 << 16)
    except (OSError, network.ROSHandshakeException) as error:
        raise NoAnswer(f"the connection ends at once ({_why(error)})") from error
    if "error" in answer:
        raise NoAnswer(str(answer["error"]))
    return answer, BytesIO(buffer.getvalue())


def _block(connection: socket.socket, buffer: BytesIO) -> bytes:
    (size,) = struct.unpack("<I", _take(connection, buffer, 4))
    if size > MAX_BYTES:
        raise NoAnswer(f"a message of {size} bytes")
    return _take(connection, buffer, size)


def _take(connection: socket.socket, buffer: BytesIO, count: int) -> bytes:
    """The next `count` bytes: first what came along with the handshake."""
    parts = [buffer.read(count)]
    missing = count - len(parts[0])
    while missing:
        part = connection.recv(min(missing, 1 << 20))
        if not part:
            raise NoAnswer("the connection ended")
        parts.append(part)
        missing -= len(part)
    return b"".join(parts)
