"""The service of interop.thrift on Apache Thrift's Python library."""

import collections
import os
import sys
import threading
import time

from interop import Greeter, Shop
from interop.ttypes import Refused
from thrift.server.TServer import TThreadedServer
from thrift.TMultiplexedProcessor import TMultiplexedProcessor
from thrift.transport.TSocket import TServerSocket

from wire import Wire


class Handler:
    def __init__(self, label):
        self.label = label
        self.notes = collections.Counter()
        self.lock = threading.Lock()
        # The protocol of the connection that this thread serves.
        self.local = threading.local()

    def whoAmI(self):
        return self.label

    def sleep(self, millis):
        time.sleep(millis / 1000)
        return self.label

    def echo(self, sample):
        return sample

    def bytes(self, payload):
        return payload

    def ident(self, ident):
        return ident

    def nothing(self):
        pass

    def refuse(self, reason):
        raise Refused(reason, 42)

    def fail(self, text):
        raise ValueError(text)

    def note(self, key):
        with self.lock:
            self.notes[key] += 1

    def noted(self, key):
        with self.lock:
            return self.notes[key]

    def headers(self):
        found = getattr(self.local.protocol, 'get_headers', dict)()
        return {key.decode(): value.decode() for key, value in found.items()}

    def greet(self, name):
        return f'hello {name}, this is {self.label}'


class Remembering:
    """A processor that lets the handler see the protocol that its call came by."""

    def __init__(self, inner, local):
        self.inner = inner
        self.local = local

    def process(self, iprot, oprot):
        self.local.protocol = iprot
        return self.inner.process(iprot, oprot)


class Socket(TServerSocket):
    """A server socket that says where it listens."""

    def __init__(self, port, listening):
        super().__init__('127.0.0.1', port)
        self.listening = listening

    def listen(self):
        super().listen()
        self.listening(self.handle.getsockname()[1])


def serve(label, names):
    handler = Handler(label)
    for name in names:
        name, _, port = name.partition(':')
        wire = Wire(name)
        processor = Shop.Processor(handler)
        if wire.is_multiplexed:
            processor = TMultiplexedProcessor()
            processor.registerProcessor('Shop', Shop.Processor(handler))
            processor.registerProcessor('Greeter', Greeter.Processor(handler))
        told = threading.Event()

        def tell(port):
            print(f'listening {name} {port}', flush=True)
            told.set()

        server = TThreadedServer(
            Remembering(processor, handler.local), Socket(int(port or 0), tell), wire.transports, wire.protocols, daemon=True)
        threading.Thread(target=server.serve, daemon=True).start()
        told.wait()
    print('ready', flush=True)
    # Whoever started it keeps its standard input open.
    sys.stdin.read()
    os._exit(0)
