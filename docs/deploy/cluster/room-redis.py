#!/usr/bin/env python3
"""A room on all nodes of a cluster, with a Redis stream as its history:

    wspipe --share=broadcast --share-by=path --replay=50 --setenv=REDIS_URL=redis://10.0.0.9 ./room-redis.py

Redis puts the messages in order, so the order is the same on all nodes. Each node
continues after the last message that it has, also after a restart of Redis.
REDIS_URL may be the path of a unix socket.
"""
import os, re, socket, sys, threading, time
from urllib.parse import urlsplit

HISTORY = 50
URL = os.environ.get("REDIS_URL", "redis://127.0.0.1")


def retry(err, seen=set()):
    """Logs each error once, and waits before the next attempt."""
    if str(err) not in seen:
        print(err, file=sys.stderr, flush=True)
        seen.add(str(err))
    time.sleep(0.2)


class Redis:
    """A connection that call makes again until Redis has answered."""

    file = None

    def connect(self):
        if URL.startswith("/"):
            conn = socket.socket(socket.AF_UNIX)
            conn.connect(URL)
        else:
            url = urlsplit(URL)
            conn = socket.create_connection((url.hostname, url.port or 6379))
            conn.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        self.file = conn.makefile("rwb")
        if not URL.startswith("/") and url.password:
            self.send(b"AUTH", (url.username or "default").encode(), url.password.encode())

    def send(self, *words):
        self.file.write(b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%s\r\n" % (len(w), w) for w in words))
        self.file.flush()
        return self.reply()

    def reply(self):
        line = self.file.readline()
        kind, rest = line[:1], line[1:-2]
        if kind == b"$":
            if rest == b"-1":
                return None
            data = self.file.read(int(rest) + 2)
            if data.endswith(b"\r\n") and len(data) == int(rest) + 2:
                return data[:-2]
            raise ConnectionError("incomplete reply")
        if kind == b"*":
            return [self.reply() for _ in range(int(rest))]
        if kind in (b"", b"-"):
            raise ConnectionError(rest.decode() or "the connection ended")
        return rest

    def call(self, *words):
        while True:
            try:
                if self.file is None:
                    self.connect()
                return self.send(*words)
            except (OSError, ValueError) as err:
                self.file = None
                retry(err)


def publish(stream):
    redis = Redis()
    for line in sys.stdin.buffer:
        redis.call(b"XADD", stream, b"MAXLEN", b"~", b"1000", b"*", b"text", line.rstrip(b"\n"))


def follow(stream):
    redis = Redis()
    newest = redis.call(b"XREVRANGE", stream, b"+", b"-", b"COUNT", b"%d" % (HISTORY + 1))
    last = newest[HISTORY][0] if len(newest) > HISTORY else b"0"
    while True:
        for _, messages in redis.call(b"XREAD", b"COUNT", b"1000", b"BLOCK", b"0", b"STREAMS", stream, last):
            for last, (_, text) in messages:
                sys.stdout.buffer.write(text + b"\n")
        sys.stdout.flush()


room = os.environ.get("PATH_INFO", "")
if not re.fullmatch("/[A-Za-z0-9_-]+", room):
    print("a room is a path of letters, digits, _ and -")
    sys.exit(1)
threading.Thread(target=publish, args=[b"room:" + room.encode()], daemon=True).start()
follow(b"room:" + room.encode())
