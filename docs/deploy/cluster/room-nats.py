#!/usr/bin/env python3
"""A room on all nodes of a cluster, with a stream of NATS JetStream as its history:

    wspipe --share=broadcast --share-by=path --replay=50 --setenv=NATS_URL=nats://10.0.0.9 ./room-nats.py

Run nats-server with -js. It puts the messages in order, so the order is the same on
all nodes. Each node continues after the last message that it has, also after a restart.
"""
import json, os, re, secrets, socket, sys, threading, time
from urllib.parse import urlsplit

HISTORY = 50
STREAM = {"name": "ROOMS", "subjects": ["room.*"], "max_msgs_per_subject": 1000}


def retry(err, seen=set()):
    """Logs each error once, and waits before the next attempt."""
    if str(err) not in seen:
        print(err, file=sys.stderr, flush=True)
        seen.add(str(err))
    time.sleep(0.2)


class Nats:
    """A connection that receives what is sent to its inbox."""

    def __init__(self):
        url = urlsplit(os.environ.get("NATS_URL", "nats://127.0.0.1"))
        conn = socket.create_connection((url.hostname, url.port or 4222))
        conn.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        self.file = conn.makefile("rwb")
        self.file.readline()  # INFO
        self.inbox = "_INBOX." + secrets.token_hex(16)
        options = {"verbose": False, "headers": True}
        if url.username:
            options |= {"user": url.username, "pass": url.password}
        self.send(f"CONNECT {json.dumps(options)}\r\nSUB {self.inbox} 1\r\n".encode())
        self.publish("$JS.API.STREAM.CREATE.ROOMS", json.dumps(STREAM).encode())
        self.answer()

    def send(self, data):
        self.file.write(data)
        self.file.flush()

    def publish(self, subject, data, message_id=None):
        header = f"NATS/1.0\r\nNats-Msg-Id: {message_id or secrets.token_hex(16)}\r\n\r\n".encode()
        self.send(f"HPUB {subject} {self.inbox} {len(header)} {len(header) + len(data)}\r\n".encode() + header + data + b"\r\n")

    def receive(self):
        """The next message: the subject for its acknowledgement, or none, and its data."""
        while True:
            words = self.file.readline().decode().split()
            if not words or words[0] == "-ERR":
                raise ConnectionError(" ".join(words) or "the connection ended")
            if words[0] == "PING":
                self.send(b"PONG\r\n")
            if words[0] in ("MSG", "HMSG"):
                header, size = int(words[-2]) if words[0] == "HMSG" else 0, int(words[-1])
                data = self.file.read(size + 2)
                if len(data) < size + 2:
                    raise ConnectionError("incomplete message")
                return next((w for w in words if w.startswith("$JS.ACK.")), ""), data[header:size]

    def answer(self):
        if "error" in (answer := json.loads(self.receive()[1])):
            raise ConnectionError(answer)


def publish(subject):
    nats = None
    for line in sys.stdin.buffer:
        message_id = secrets.token_hex(16)  # NATS stores a message once, however often it is sent
        while True:
            try:
                nats = nats or Nats()
                nats.publish(subject, line.rstrip(b"\n"), message_id)
                nats.answer()
                break
            except (OSError, ValueError) as err:
                nats = None
                retry(err)


def follow(subject):
    last, recent = 0, False
    while True:
        try:
            nats = Nats()
            config = {"deliver_subject": nats.inbox, "filter_subject": subject, "ack_policy": "none",
                      "deliver_policy": "by_start_sequence", "opt_start_seq": last + 1}
            nats.publish("$JS.API.CONSUMER.CREATE.ROOMS", json.dumps({"stream_name": "ROOMS", "config": config}).encode())
            while True:
                ack, text = nats.receive()
                if not ack:  # the answer to CREATE
                    if b'"error"' in text:
                        raise ConnectionError(text)
                    continue
                words = ack.split(".")
                last, pending = int(words[5]), int(words[8])
                recent = recent or pending < HISTORY
                if recent:
                    sys.stdout.buffer.write(text + b"\n")
                    sys.stdout.flush()
        except (OSError, ValueError) as err:
            retry(err)


room = os.environ.get("PATH_INFO", "")
if not re.fullmatch("/[A-Za-z0-9_-]+", room):
    print("a room is a path of letters, digits, _ and -")
    sys.exit(1)
threading.Thread(target=publish, args=["room." + room[1:]], daemon=True).start()
follow("room." + room[1:])
