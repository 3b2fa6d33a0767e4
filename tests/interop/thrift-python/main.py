"""Apache Thrift's Python library as server and client; see the README beside the folder."""

import argparse
import logging
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), 'gen'))


def main():
    parser = argparse.ArgumentParser()
    modes = parser.add_subparsers(dest='mode', required=True)
    server = modes.add_parser('server')
    server.add_argument('--label', required=True)
    server.add_argument('--serve', action='append', required=True, metavar='TRANSPORT/PROTOCOL[/multiplexed][:PORT]')
    client = modes.add_parser('client')
    client.add_argument('--target', action='append', required=True, metavar='NAME=WIRE@HOST:PORT')
    client.add_argument('--scenario', action='append', default=[])
    client.add_argument('--header', action='append', default=[], metavar='KEY=VALUE')
    words = parser.parse_args()
    logging.basicConfig(level=logging.CRITICAL)
    if words.mode == 'server':
        import server
        server.serve(words.label, words.serve)
    else:
        import client
        headers = dict(header.split('=', 1) for header in words.header)
        sys.exit(client.run(words.target, words.scenario, headers))


main()
