#!/usr/bin/env python3
"""A sink in another language: it appends the body of each event to a file and accepts what is synced.

    flume source stdin < app.log | examples/collect.py out.log

It needs nothing but Python 3 and upper.py beside it, for the frames. The format and the way that acceptances
travel back are told by "flume help stream-format".
"""

import json
import os
import socket
import stat
import sys

from upper import BATCH, END, HELLO, Bad, end_of_headers, frames, read_bytes, write

ACCEPT, REFUSE = 4, 5


class Unreachable(Exception):
    """Nobody can be told what was taken."""


def new_frame(kind, sequence=0):
    """The fields of a frame of our own."""
    return [b"FLM1", kind, 0, 0, 0, 0, sequence, 0, 0, 0, 0]


def bodies(payload):
    at = 0
    while at < len(payload):
        body, at = read_bytes(payload, end_of_headers(payload, at))
        yield body


class Reply:
    """Where acceptances of one stream go."""

    def __init__(self, hello):
        self.stream = None
        where = hello.get("reply", "none")
        if where == "none" or stat.S_ISREG(os.fstat(0).st_mode):
            return
        if not where.startswith("unix:"):
            raise Unreachable(f"a reply by {where} is not known to this stage")
        if hello.get("host") != os.uname().nodename:
            raise Unreachable(f"the stream comes from another host, {hello.get('host')}")
        name = where.removeprefix("unix:")
        self.socket = socket.socket(socket.AF_UNIX)
        try:
            self.socket.connect("\0" + name[1:] if name.startswith("@") else name)
            self.stream = self.socket.makefile("rwb")
            self.present(hello)
        except OSError as error:
            raise Unreachable(f"{where}: {error}") from error

    def present(self, hello):
        mine = {
            "version": 1,
            "stream": hello.get("stream", ""),
            "stage": "collect.py",
            "host": os.uname().nodename,
            "pid": os.getpid(),
            "reply": "none",
            "token": hello.get("token", ""),
        }
        write(self.stream, new_frame(HELLO), json.dumps(mine).encode())
        answer = next(frames(self.stream), None)
        if answer is None:
            raise Unreachable("it has turned this process away")
        fields, payload = answer
        if fields[1] == REFUSE:
            # Another taker is there. If a tee feeds us both, it must not die of our end.
            while sys.stdin.buffer.read(65536):
                pass
            raise Unreachable(json.loads(payload)["reason"])

    def accept(self, sequence):
        if self.stream is not None:
            write(self.stream, new_frame(ACCEPT, sequence), b"")


def run(source, path):
    reply = None
    ended = True
    with open(path, "ab") as out:
        for fields, payload in frames(source):
            kind, flags, sequence = fields[1], fields[2], fields[6]
            if kind == HELLO:
                hello = json.loads(payload)
                if hello.get("version") != 1:
                    raise Bad(f"the stream has version {hello.get('version')}, this stage speaks version 1")
                reply, ended, expected = Reply(hello), False, 1
            elif kind == BATCH:
                if reply is None or ended:
                    raise Bad("the stream does not begin with a hello")
                if flags:
                    raise Bad("the batches are compressed or encrypted, which this stage cannot read")
                if sequence != expected:
                    raise Bad(f"batch {sequence} follows where {expected} should: data is missing")
                expected += 1
                out.writelines(body + b"\n" for body in bodies(payload))
                out.flush()
                os.fdatasync(out.fileno())
                # Only now: what is accepted is safe.
                try:
                    reply.accept(sequence)
                except BrokenPipeError as error:
                    raise Unreachable("the stage before has gone") from error
            elif kind == END:
                ended = True
    if reply is None:
        raise Bad("no stream came")
    if not ended:
        raise Bad("the stream has no end: the stage before has died")


def main():
    if len(sys.argv) != 2:
        print("usage: collect.py FILE", file=sys.stderr)
        return 2
    try:
        run(sys.stdin.buffer, sys.argv[1])
        return 0
    except Unreachable as error:
        print(f"ERROR collect.py: cannot accept: {error}", file=sys.stderr)
        return 2
    except (Bad, ValueError, OSError) as error:
        print(f"ERROR collect.py: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
