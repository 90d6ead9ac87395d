#!/usr/bin/env python3
"""A memcached client for tools/demo: stores items of mixed sizes over four connections, reads each back, compares.

Argument: the server's unix socket. Exit status 1 if an item came back different or not at all.
"""

import random
import socket
import sys
import time
from concurrent.futures import ThreadPoolExecutor

CONNECTIONS = 4
ITEMS = 10_000  # a connection
BATCH = 100


def value(connection, item):
    return random.Random(connection * ITEMS + item).randbytes(random.Random(item).randrange(16, 4000))


def drive(path, connection):
    """Returns how many items came back different or not at all."""
    wrong = 0
    server = socket.socket(socket.AF_UNIX)
    server.connect(path)
    answers = server.makefile("rb")
    for start in range(0, ITEMS, BATCH):
        items = range(start, start + BATCH)
        for i in items:
            data = value(connection, i)
            server.sendall(b"set k%d:%d 0 0 %d\r\n%s\r\n" % (connection, i, len(data), data))
        stored = [answers.readline() for _ in items]
        wrong += sum(answer != b"STORED\r\n" for answer in stored)
    for i in range(ITEMS):
        server.sendall(b"get k%d:%d\r\n" % (connection, i))
        head = answers.readline()  # VALUE key flags bytes
        if head == b"END\r\n":
            wrong += 1
            continue
        data = answers.read(int(head.split()[3]) + 2)[:-2]
        answers.readline()
        wrong += data != value(connection, i)
    return wrong


def statistics(path):
    server = socket.socket(socket.AF_UNIX)
    server.connect(path)
    server.sendall(b"stats\r\n")
    answers = server.makefile("rb")
    return dict(line.split()[1:3] for line in iter(answers.readline, b"END\r\n"))


def main():
    path = sys.argv[1]
    start = time.monotonic()
    with ThreadPoolExecutor(CONNECTIONS) as connections:
        wrong = sum(connections.map(drive, [path] * CONNECTIONS, range(CONNECTIONS)))
    figures = statistics(path)
    print(f"{CONNECTIONS * ITEMS} items stored and read back over {CONNECTIONS} connections in "
          f"{time.monotonic() - start:.1f} s, {wrong} wrong")
    print(f"memcached holds {int(figures[b'curr_items'])} items in {int(figures[b'bytes']) / 2**20:.1f} MB "
          f"and evicted {int(figures[b'evictions'])}")
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
