"""redis-py as a client; see redis.md beside the folder."""

import argparse
import sys

import scenarios

parser = argparse.ArgumentParser()
parser.add_argument('address', metavar='HOST:PORT')
parser.add_argument('--prefix', default='redis-py:', help='begins all keys, channels and names')
parser.add_argument('--resp', type=int, choices=[2, 3], help='protocol version; the library decides if none is given')
parser.add_argument('--user', metavar='NAME:PASSWORD', help='as whom the scenario auth logs in')
parser.add_argument('scenario', nargs='*', help='all, if none is named')
sys.exit(scenarios.run(parser.parse_args()))
