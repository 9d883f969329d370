#!/usr/bin/env python3
"""A stage in another language: it makes the body of each event upper case and passes the stream on.

    flume source stdin < app.log | examples/upper.py | flume sink logger

It needs nothing but Python 3. The format is told by "flume help stream-format".
"""

import json
import signal
import struct
import sys

HELLO, BATCH, END = 1, 2, 3
HEADER = struct.Struct("<4sBBHIIQQIII")  # 44 bytes; the checksum of them follows
PAYLOAD_LIMIT = 64 << 20
HELLO_LIMIT = 64 << 10
VIA_LIMIT = 64


class Bad(Exception):
    """The input is not what it should be."""


def crc_table():
    table = []
    for byte in range(256):
        for _ in range(8):
            byte = byte >> 1 ^ (0x82F63B78 if byte & 1 else 0)
        table.append(byte)
    return table


CRC_TABLE = crc_table()


def crc32c(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc = CRC_TABLE[(crc ^ byte) & 0xFF] ^ crc >> 8
    return crc ^ 0xFFFFFFFF


def read_number(data, at):
    """An Avro long at this place, and where it ends."""
    value = shift = 0
    while shift < 70:
        if at >= len(data):
            raise Bad("an event ends inside a number")
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value >> 1 ^ -(value & 1), at
        shift += 7
    raise Bad("a number has more than ten bytes")


def number(value):
    """The same, written; for sizes, which are not negative."""
    value <<= 1
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def read_bytes(data, at):
    size, at = read_number(data, at)
    if size < 0 or size > len(data) - at:
        raise Bad("an event ends inside a name, a value or a body")
    return data[at : at + size], at + size


def end_of_headers(data, at):
    """Where the body begins. Blocks that say their size are stepped over."""
    while True:
        count, at = read_number(data, at)
        if count == 0:
            return at
        if count < 0:
            size, at = read_number(data, at)
            if size < 0 or size > len(data) - at:
                raise Bad("an event ends inside its headers")
            at += size
        else:
            for _ in range(2 * count):
                _, at = read_bytes(data, at)


def changed(payload, count):
    """The payload with its bodies in upper case, the headers as they were."""
    out = bytearray()
    at = events = 0
    while at < len(payload):
        body_at = end_of_headers(payload, at)
        body, end = read_bytes(payload, body_at)
        out += payload[at:body_at]
        out += number(len(body)) + body.upper()
        at = end
        events += 1
    if events != count:
        raise Bad(f"{events} events where the frame says {count}")
    return bytes(out)


def read_exactly(stream, size):
    """So many bytes; fewer only at the end of the input."""
    data = stream.read(size)
    while 0 < len(data) < size:
        more = stream.read(size - len(data))
        if not more:
            break
        data += more
    return data


def frames(stream):
    """The frames of a stream: the fields of the header, and the payload."""
    while True:
        head = read_exactly(stream, 48)
        if not head:
            return
        if head[:4] != b"FLM1"[: len(head)]:
            raise Bad(f"found {head[:16]!r}, expected a frame, which begins with FLM1")
        if len(head) < 48:
            raise Bad("the input ends inside a frame")
        if crc32c(head[:44]) != int.from_bytes(head[44:], "little"):
            raise Bad("the header of a frame is damaged")
        fields = list(HEADER.unpack(head[:44]))
        kind, size = fields[1], fields[4]
        if size > (HELLO_LIMIT if kind == HELLO else PAYLOAD_LIMIT):
            raise Bad(f"a frame of {size} bytes is too long")
        payload = read_exactly(stream, size)
        if len(payload) < size:
            raise Bad("the input ends inside a frame")
        if crc32c(payload) != fields[10]:
            raise Bad("the payload of a frame is damaged")
        yield fields, payload


def write(stream, fields, payload):
    """A frame: kind, sequence, origin and number of events stay, sizes and checksums are made anew."""
    fields[4] = fields[8] = len(payload)
    fields[10] = crc32c(payload)
    head = HEADER.pack(*fields)
    stream.write(head + struct.pack("<I", crc32c(head)) + payload)
    # The next stage must not wait for what we have.
    stream.flush()


def passed_hello(payload):
    hello = json.loads(payload)
    if hello.get("version") != 1:
        raise Bad(f"the stream has version {hello.get('version')}, this stage speaks version 1")
    via = hello.setdefault("via", [])
    if len(via) < VIA_LIMIT:
        via.append("upper.py")
    return json.dumps(hello).encode()


def run(source, target):
    is_open = False
    for fields, payload in frames(source):
        kind, flags, events = fields[1], fields[2], fields[5]
        if not is_open and kind in (BATCH, END):
            raise Bad("the stream does not begin with a hello")
        if flags and kind == BATCH:
            raise Bad("the batches are compressed or encrypted, which this stage cannot read")
        if kind == HELLO:
            is_open = True
            payload = passed_hello(payload)
        elif kind == BATCH:
            payload = changed(payload, events)
        elif kind == END:
            is_open = False
        elif kind < 128 and kind not in (6, 7):
            raise Bad(f"a frame of kind {kind} is not known to this stage")
        write(target, fields, payload)
    if is_open:
        raise Bad("the stream has no end: the stage before has died")


def main():
    # Ctrl-C is for the source: it ends its stream, and then we end.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        run(sys.stdin.buffer, sys.stdout.buffer)
        return 0
    except BrokenPipeError:
        # The next stage has gone, and says why itself. Python must not flush what is left.
        sys.stdout = None
        return 75
    except (Bad, ValueError) as error:
        print(f"ERROR upper.py: standard input: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
