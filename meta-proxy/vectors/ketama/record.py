"""Writes the placements beside this file: which server twemproxy (nutcracker) chooses for a key.

    python3 record.py

It needs nutcracker 0.5.0 in PATH. The servers are plain sockets that answer every command with +OK. twemproxy hashes
a server's name, `ip:port`, and not the address that it connects to, so the names are free to choose.
"""

import pathlib
import socket
import subprocess
import tempfile
import threading
import time

HERE = pathlib.Path(__file__).parent
FILES = {
    "three": [f"10.0.0.{n}:6379" for n in (1, 2, 3)],
    # For 25 servers rounding gives each 156 points instead of 160.
    "twenty-five": [f"192.168.{n}.{200 - n}:{7000 + n}" for n in range(25)],
    "ipv6": [f"fd00::{n:x}:6379" for n in (1, 2, 0xA3, 0xFFFF)],
}
KEYS = [f"user:{n}" for n in range(150)] + [chr(c) for c in range(ord("a"), ord("z") + 1)]
KEYS += [f"{{cart}}.{n * n * 7919}" for n in range(100)] + ["k" * n for n in range(2, 200, 7)]


def serve(listener, name, seen):
    while True:
        connection, _ = listener.accept()
        threading.Thread(target=answer, args=(connection, name, seen), daemon=True).start()


def answer(connection, name, seen):
    """Answers `*2 $3 GET $n KEY`; one is under way at a time, and it is short enough to arrive whole."""
    while request := connection.recv(4096):
        seen[request.split(b"\r\n")[4].decode()] = name
        connection.sendall(b"$-1\r\n")


def listen():
    listener = socket.create_server(("127.0.0.1", 0))
    return listener, listener.getsockname()[1]


def connect(port):
    for _ in range(200):
        try:
            return socket.create_connection(("127.0.0.1", port))
        except ConnectionRefusedError:
            time.sleep(0.05)
    raise RuntimeError("nutcracker did not come up")


def record(names):
    seen, servers = {}, []
    for name in names:
        listener, port = listen()
        threading.Thread(target=serve, args=(listener, name, seen), daemon=True).start()
        servers.append(f"   - 127.0.0.1:{port}:1 {name}")
    front, port = listen()
    front.close()
    admin, stats = listen()
    admin.close()
    pool = ["pool:", f"  listen: 127.0.0.1:{port}", "  redis: true", "  hash: md5", "  distribution: ketama", "  servers:"]
    with tempfile.TemporaryDirectory() as folder:
        config = pathlib.Path(folder, "nutcracker.yml")
        config.write_text("\n".join(pool + servers) + "\n")
        nutcracker = subprocess.Popen(
            ["nutcracker", "-c", config, "-s", str(stats), "-a", "127.0.0.1", "-m", "512"], stderr=subprocess.DEVNULL
        )
        try:
            client = connect(port)
            for key in KEYS:
                client.sendall(f"*2\r\n$3\r\nGET\r\n${len(key)}\r\n{key}\r\n".encode())
                assert client.recv(64) == b"$-1\r\n", key
        finally:
            nutcracker.terminate()
            nutcracker.wait()
    return seen


for title, names in FILES.items():
    seen = record(names)
    lines = [f"server {name}" for name in names] + [f"{key} {names.index(seen[key])}" for key in KEYS]
    text = "# Written by record.py: the servers, then keys and the index of each one's server.\n"
    (HERE / f"{title}.txt").write_text(text + "\n".join(lines) + "\n")
    print(title, [sum(name == owner for owner in seen.values()) for name in names])
