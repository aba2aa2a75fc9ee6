"""Reads a ROS 1 bag (v2.0) front to back, one chunk in memory at a time.

The index at the end of the file is not used, so that a bag that lacks it (its recorder was
killed) or that is cut off anywhere reads like a whole one, as far as it goes.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, NamedTuple

from rosbags.rosbag1.reader import Header, ReaderError, RecordType, decompressors

from kuavo_train.data.bags.errors import BagRefused

MAGIC = b"#ROSBAG V2.0\n"
MAX_RECORD = 1 << 30
"""A longer record [bytes] is a damaged length field."""


class Connection(NamedTuple):
    """One publisher's topic, as the bag describes it."""

    topic: str
    type: str
    md5: str
    definition: str


class RawMessage(NamedTuple):
    """A message as recorded. time: when it was received [ns since the epoch]."""

    connection: Connection
    time: int
    data: bytes


@dataclass
class Scan:
    """Iterate over it for the bag's messages, in the order of the file.

    Attributes:
        repairs: afterwards, what was wrong with the file and could be read all the same.
    """

    path: Path
    repairs: list[str] = field(default_factory=list)
    _connections: dict[int, Connection] = field(default_factory=dict)

    def __iter__(self) -> Iterator[RawMessage]:
        """Yield all messages.

        Raises:
            BagRefused: the file is not a bag, or holds no message.
        """
        self.repairs.clear()
        self._connections.clear()
        size = self.path.stat().st_size
        messages = 0
        with open(self.path, "rb") as file:
            self._open(file, size)
            place = file.tell()
            try:
                while place < size:
                    for message in self._messages(file):
                        messages += 1
                        yield message
                    place = file.tell()
            except _DAMAGE as error:
                if not messages:
                    raise BagRefused(f"no message can be read from it: {error}") from error
                if not self.repairs:
                    self.repairs.append(
                        f"damaged at byte {place} of {size} ({error}): read as far as it goes"
                    )
        if not messages:
            raise BagRefused("it holds no messages")

    def _open(self, file: BinaryIO, size: int) -> None:
        if size == 0:
            raise BagRefused("the file is empty")
        magic = file.read(len(MAGIC))
        if magic != MAGIC:
            raise BagRefused("not a ROS 1 bag (version 2.0): it does not start with '#ROSBAG V2.0'")
        try:
            header = Header.read(file)
            _block(file)
            index = header.get_uint64("index_pos")
        except _DAMAGE as error:
            raise BagRefused(f"cut off within its header: {error}") from error
        if index == 0:
            self.repairs.append("no index (the recorder was killed): read front to back")
        elif index >= size:
            self.repairs.append(f"cut off at byte {size}: read as far as it goes")

    def _messages(self, file: BinaryIO) -> Iterator[RawMessage]:
        """The messages of the next record, which may be a chunk of many.

        A killed recorder leaves its last chunk with a length of 0, so that the messages in it
        stand outside of any chunk.
        """
        header = Header.read(file)
        op = header.get_uint8("op")
        if op == RecordType.CHUNK:
            yield from self._chunk(header, file)
            return
        data = _block(file)
        if op == RecordType.CONNECTION:
            self._connect(header, data)
        elif op == RecordType.MSGDATA:
            connection = self._connections[header.get_uint32("conn")]
            yield RawMessage(connection, header.get_time("time"), data)

    def _chunk(self, header: Header, file: BinaryIO) -> Iterator[RawMessage]:
        compression = header.get_string("compression")
        if compression not in decompressors:
            raise BagRefused(
                f"compression {compression!r} is unknown: choose from {', '.join(decompressors)}"
            )
        body = _block(file, whole=compression != "none")
        records = io.BytesIO(decompressors[compression](body))
        end = len(records.getbuffer())
        while records.tell() < end:
            yield from self._messages(records)
        if end != header.get_uint32("size"):
            raise ReaderError("a chunk is shorter than it says")

    def _connect(self, header: Header, data: bytes) -> None:
        about = Header.read(io.BytesIO(struct.pack("<L", len(data)) + data))
        self._connections[header.get_uint32("conn")] = Connection(
            topic="/" + header.get_string("topic").strip("/"),
            type=about.get_string("type"),
            md5=about.get_string("md5sum"),
            definition=about.get_string("message_definition"),
        )


_DAMAGE = (ReaderError, KeyError, ValueError, OSError, RuntimeError, EOFError, struct.error)
"""What damaged bytes raise: in rosbags, in UTF-8, in bz2 and LZ4."""


def _block(file: BinaryIO, whole: bool = True) -> bytes:
    """A block of bytes behind its length; what is left of it, unless it must be `whole`."""
    length = file.read(4)
    if len(length) != 4:
        raise ReaderError("the file ends within a record")
    (size,) = struct.unpack("<L", length)
    if size > MAX_RECORD:
        raise ReaderError(f"a record claims {size} bytes")
    data = file.read(size)
    if whole and len(data) != size:
        raise ReaderError("the file ends within a record")
    return data
