"""Scenarios against the service of interop.thrift, on Apache Thrift's Python library."""

import concurrent.futures
import threading
import time
import uuid

from ident.ttypes import Ident
from interop import Ghost, Greeter, Shop
from interop.ttypes import Basic, Containers, Line, Order, Refused, Sample, State
from thrift.Thrift import TApplicationException
from thrift.transport.THeaderTransport import THeaderTransformID

from wire import Connection, Sink, Wire

SAMPLES = {
    'basic': Sample(basic=Basic(
        yes=True, no=False, tiny=-128, small=-32768, middling=2147483647, large=-9223372036854775808,
        real=-0.1, text='a\u00e4\u20ac\U0001f600', raw=bytes(range(256)), state=State.SHIPPED)),
    'nested': Sample(order=Order(
        number=7, lines=[Line('a', 1, 0.5), Line('b'), Line('c', count=-3)], gift=Line('gift'), note='thanks')),
    'truths': Sample(truths=[True, False, True]),
    'containers': Sample(containers=Containers(
        tags={'x', 'y', ''}, names={-1: 'minus', 70000: 'much'},
        deep={'k': [{1: Line('d', 2)}, {}]}, nothing=[], nobody={}, many=[n / 8 for n in range(1000)])),
}
LARGE = 16 << 20
CALLS = 10_000


def require(held, why):
    if not held:
        raise AssertionError(why)


class Scenarios:
    def __init__(self, name, address, headers):
        self.wire = Wire(name)
        self.address = address
        self.given = headers

    def connect(self):
        connection = Connection(self.wire, self.address)
        self.put_headers(connection.protocol)
        return connection

    def put_headers(self, protocol):
        """Headers of the next message only, as the library has it."""
        if self.wire.transport == 'header':
            for key, value in self.given.items():
                protocol.set_header(key.encode(), value.encode())

    def all(self):
        if self.wire.is_multiplexed:
            return ['multiplexed', 'basic']
        names = [*SAMPLES, 'uuid', 'uuids', 'large', 'void', 'declared', 'undeclared', 'unknown', 'oneway', 'concurrent',
                 'pipelined']
        return names + (['headers', 'zlib'] if self.wire.transport == 'header' else [])

    def run(self, name):
        name, _, argument = name.partition(':')
        if name in SAMPLES:
            return self.sample(SAMPLES[name])
        return getattr(self, name)(*([argument] if argument else []))

    def sample(self, sample):
        with self.connect() as connection:
            came = connection.client(Shop).echo(sample)
        require(came == sample, f'{came} came back for {sample}')

    def uuid(self):
        self.ident(Ident(uuid.UUID('00112233-4455-4677-8899-aabbccddeeff')))

    def uuids(self):
        more = [uuid.UUID(int=0), uuid.UUID('80000000-0000-4000-8000-000000000001')]
        self.ident(Ident(more[1], more))

    def ident(self, ident):
        with self.connect() as connection:
            came = connection.client(Shop).ident(ident)
        require(came == ident, f'{came} came back for {ident}')

    def large(self):
        payload = bytes(range(256)) * (LARGE >> 8)
        with self.connect() as connection:
            require(connection.client(Shop).bytes(payload) == payload, 'another payload came back')

    def void(self):
        with self.connect() as connection:
            require(connection.client(Shop).nothing() is None, 'something came back')

    def declared(self):
        with self.connect() as connection:
            shop = connection.client(Shop)
            try:
                came = shop.refuse('too much')
            except Refused as refused:
                require((refused.reason, refused.code) == ('too much', 42), f'{refused!r}')
            else:
                raise AssertionError(f'{came} came back')
            shop.whoAmI()

    def undeclared(self):
        return self.application(lambda connection: connection.client(Shop).fail('broken'))

    def unknown(self):
        return self.application(lambda connection: connection.client(Ghost).vanish())

    def application(self, call):
        with self.connect() as connection:
            try:
                came = call(connection)
            except TApplicationException as exception:
                connection.client(Shop).whoAmI()
                return f'{exception.type} {exception.message}'
            raise AssertionError(f'{came} came back')

    def oneway(self):
        key = str(uuid.uuid4())
        with self.connect() as connection:
            shop = connection.client(Shop)
            for _ in range(5):
                shop.note(key)
            end = time.monotonic() + 10
            while shop.noted(key) < 5:
                require(time.monotonic() < end, 'the notes did not arrive')

    def concurrent(self):
        def some(thread):
            with self.connect() as connection:
                shop = connection.client(Shop)
                for number in range(25):
                    payload = b'%d/%d' % (thread, number)
                    came = shop.bytes(payload)
                    require(came == payload, f'{came} came back for {payload}')
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            for done in [pool.submit(some, thread) for thread in range(8)]:
                done.result()

    def pipelined(self):
        """All calls are on their way before the first answer is looked at; the answers come in order."""
        sink = Sink()
        writer = Shop.Client(self.wire.over(sink))
        for number in range(CALLS):
            writer._seqid = number
            writer.send_bytes(b'%d' % number)
        with self.connect() as connection:
            sent = threading.Thread(target=connection.socket.handle.sendall, args=(sink.written,), daemon=True)
            sent.start()
            for number in range(CALLS):
                (_, _, seqid) = connection.protocol.readMessageBegin()
                result = Shop.bytes_result()
                result.read(connection.protocol)
                connection.protocol.readMessageEnd()
                require((seqid, result.success) == (number, b'%d' % number), f'{seqid}: {result} for {number}')
            sent.join()

    def headers(self):
        with self.connect() as connection:
            shop = connection.client(Shop)
            for value in ['one', '', 'x' * 1000]:
                connection.protocol.set_header(b'a-key', value.encode())
                connection.protocol.set_header(b'Other', b'too')
                came = shop.headers()
                require((came.get('a-key'), came.get('Other')) == (value, 'too'), f'{came} for {value}')

    def zlib(self):
        with self.connect() as connection:
            connection.protocol.add_transform(THeaderTransformID.ZLIB)
            payload = b'much of the same. ' * 10_000
            for _ in range(3):
                require(connection.client(Shop).bytes(payload) == payload, 'another payload came back')

    def multiplexed(self):
        with self.connect() as connection:
            label = connection.client(Shop).whoAmI()
            greeting = connection.client(Greeter).greet('you')
            require(greeting.startswith('hello you, this is '), greeting)
            return label

    def outcome(self, method, *arguments):
        """What became of one call, in words."""
        method, *arguments = method.split(',')
        service = {'vanish': Ghost, 'greet': Greeter}.get(method, Shop)
        arguments = [int(argument) if argument.isdigit() else argument for argument in arguments]
        with self.connect() as connection:
            try:
                return f'reply {getattr(connection.client(service), method)(*arguments)}'
            except TApplicationException as exception:
                return f'exception {exception.type} {exception.message}'

    def seen(self):
        """The headers that the server saw."""
        with self.connect() as connection:
            came = connection.client(Shop).headers()
            return ' '.join(f'{key}={value}' for key, value in sorted(came.items()))


def run(targets, scenarios, headers):
    failed = False
    for target in targets:
        name, _, rest = target.partition('=')
        wire, _, address = rest.partition('@')
        able = Scenarios(wire, address, headers)
        for scenario in scenarios or able.all():
            try:
                told = able.run(scenario)
                print(f'ok {name} {scenario}' + (f' {told}' if told else ''), flush=True)
            except Exception as error:
                failed = True
                print(f'FAIL {name} {scenario}: {type(error).__name__}: {error}'.replace('\n', ' ')[:500], flush=True)
    return 1 if failed else 0
