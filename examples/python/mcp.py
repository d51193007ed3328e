#!/usr/bin/env python3
# Serves any stdio server of the Model Context Protocol to many clients: over HTTP, one POST for
# each message (Streamable HTTP of revision 2026-07-28), and over WebSockets with subprotocol mcp.
#   wspipe --port=8080 --share=mux --http --subprotocol=mcp ./examples/python/mcp.py SERVER [ARG...]

import contextlib, itertools, json, signal, subprocess, sys, threading
from collections import namedtuple

signal.signal(signal.SIGINT, signal.SIG_DFL)
signal.signal(signal.SIGPIPE, signal.SIG_DFL)
SUBSCRIPTION = "io.modelcontextprotocol/subscriptionId"
Request = namedtuple("Request", "client id token method server")
lock = threading.Lock()  # guards everything below
http = {}  # by client: whether it is a plain request, which ends with its response
pending = {}  # requests, by the ID and progress token that the server gets
server, ids = None, itertools.count(1)
hello, welcome = {}, []  # the handshake of older revisions, which a server makes once

def order(**members):
    print(json.dumps(members), flush=True)

def respond(client, id, message):
    order(to=client, data=json.dumps({"jsonrpc": "2.0", **message, "id": id}))
    if http.get(client):
        order(close=client)

def to_server(message):
    global server
    messages = [message]
    if server is None or server.poll() is not None:  # it is the first one, or the last one has died
        server = subprocess.Popen(sys.argv[1:], stdin=subprocess.PIPE, stdout=subprocess.PIPE, encoding="utf-8")
        threading.Thread(target=read_server, args=[server], daemon=True).start()
        messages = [m for m in hello.values() if m is not message] + messages
    with contextlib.suppress(BrokenPipeError):  # read_server responds then
        print(*map(json.dumps, messages), sep="\n", file=server.stdin, flush=True)

def read_server(process):
    for line in process.stdout:
        with lock:
            from_server(json.loads(line))
    process.wait()
    with lock:
        for n in [n for n in pending if pending[n].server is process]:
            respond(*pending.pop(n)[:2], {"error": {"code": -32603, "message": "the server has exited"}})

def from_server(message):
    n, params = message.get("id"), message.get("params", {})
    meta = params.get("_meta", {})
    about = params.get("progressToken", meta.get(SUBSCRIPTION))
    if "method" not in message and n in pending:
        if pending[n].method == "initialize" and "result" in message:
            welcome[:] = [message]
        respond(*pending.pop(n)[:2], message)
    elif about in pending:  # a notification about a request, which its client knows by other names
        params.update({"progressToken": pending[about].token} if "progressToken" in params else {})
        meta.update({SUBSCRIPTION: pending[about].id} if SUBSCRIPTION in meta else {})
        order(to=pending[about].client, data=json.dumps(message))
    elif "method" in message and n is about is None:
        order(to=[client for client in http if not http[client]], data=json.dumps(message))

def from_client(client, message):
    method, id, params = message["method"], message.get("id"), message.get("params", {})
    meta = params.get("_meta", {})
    if method == "initialize" and welcome:
        respond(client, id, welcome[0])
    elif id is not None:
        n, token = next(ids), meta.get("progressToken")
        meta.update({} if token is None else {"progressToken": n})
        message["id"] = n
        hello.update({method: message} if method == "initialize" else {})
        to_server(message)
        pending[n] = Request(client, id, token, method, server)
    elif method == "notifications/cancelled":
        cancel(client, params["requestId"])
    elif method not in hello:
        hello.update({method: message} if method == "notifications/initialized" else {})
        to_server(message)
    if id is None and http[client]:
        order(close=client)

def cancel(client, id=None):
    for n in [n for n, request in pending.items() if request.client == client and id in (None, request.id)]:
        del pending[n]
        to_server({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": n}})

for line in sys.stdin:
    event = json.loads(line)
    client = event["client"]
    with lock:
        if event["event"] == "open":
            http[client] = event["env"].get("HTTP_UPGRADE", "").lower() != "websocket"
        elif event["event"] == "close":
            cancel(client)
            del http[client]
        else:
            try:
                from_client(client, json.loads(event.get("data", "")))
            except (AttributeError, KeyError, RecursionError, TypeError, ValueError):
                respond(client, None, {"error": {"code": -32600, "message": "not a JSON-RPC message"}})
