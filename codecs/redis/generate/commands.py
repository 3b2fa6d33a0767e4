#!/usr/bin/env python3
"""Writes src/table/commands.rs, the commands that servers know and where their keys stand, and src/table/slots.rs,
how they are found by name.

    redis-cli -3 --json COMMAND > new.json       for each server, newest first
    generate/commands.py --version 'Redis 8.2.3' new.json --version … old.json --list commands.json

A command is described as the first of the servers that has it says. `--list` is the commands.json of npm's
@ioredis/commands, for commands that no server at hand has. Needs Python 3.9 and nothing else.
"""

import argparse
import json
import pathlib

MASK = 0xDFDFDFDFDFDFDFDF
WORD = (1 << 64) - 1
HALF = (1 << 32) - 1
BUCKETS, SLOTS = 128, 512
FLAGS = {"write": "WRITE", "blocking": "BLOCKING", "no_multi": "NO_MULTI", "admin": "ADMIN"}
TARGET = pathlib.Path(__file__).parent.parent / "src" / "table"

# What COMMAND cannot say: SORT's STORE stands anywhere behind its key. BY and GET name no keys but patterns.
SPECS = {"SORT": ["at(1)", 'word("STORE", 2, 0, 1, 0)'], "SORT_RO": ["at(1)"]}
# What the list leaves out of commands whose keys it calls movable.
MOVABLE = {"SDIFFCARD": ["count(1)"], "SUNIONCARD": ["count(1)"]}


def spec(found):
    """A key specification of COMMAND as the table writes it."""
    begin, find = found["begin_search"], found["find_keys"]
    if find["type"] == "keynum":
        numbers = find["spec"]
        assert begin["type"] == "index" and numbers == {"keynumidx": 0, "firstkey": 1, "keystep": numbers["keystep"]}
        step = numbers["keystep"]
        at = begin["spec"]["index"]
        return f"count({at})" if step == 1 else f"count_by({at}, {step})"
    last, step, limit = (find["spec"][name] for name in ("lastkey", "keystep", "limit"))
    if begin["type"] == "keyword":
        keyword = begin["spec"]
        return f'word("{keyword["keyword"]}", {keyword["startfrom"]}, {last}, {step}, {limit})'
    at = begin["spec"]["index"]
    assert limit == 0
    return f"at({at})" if last == 0 else f"range({at}, {last}, {step})"


def of_server(path):
    """Name → (arity, flags, specs)."""
    commands = {}
    for entry in json.loads(pathlib.Path(path).read_text()):
        for name, arity, flags, *_, specs, _ in [entry, *entry[9]]:
            name = name.upper()
            specs = SPECS[name] if name in SPECS else [spec(found) for found in specs]
            commands[name] = (arity, flags, specs)
    return commands


def of_list(path):
    """The same, of @ioredis/commands."""
    commands = {}

    def add(name, entry):
        first, last, step = entry["keyStart"], entry["keyStop"], entry["step"]
        specs = MOVABLE.get(name, [])
        if first > 0:
            # It counts the last key from the front, COMMAND from the first key.
            last = last - first if last > 0 else last
            specs = [f"at({first})" if last == 0 else f"range({first}, {last}, {step})"]
        commands[name] = (entry["arity"], entry["flags"], specs)

    for name, entry in json.loads(pathlib.Path(path).read_text()).items():
        name = name.upper()
        add(name, entry)
        for sub, entry in entry.get("subcommands", {}).items():
            add(f"{name}|{sub.upper()}", entry)
    return commands


def digest(name):
    """The hash of a name, whatever its case; table/mod.rs has the same."""
    name, size = name.encode(), len(name)
    if size >= 8:
        first, last = name[:8], name[-8:]
    elif size >= 4:
        first, last = name[:4], name[-4:]
    else:
        first, last = bytes([name[0], name[size // 2], name[-1]]), b""
    first, last = (int.from_bytes(part, "little") & MASK for part in (first, last))
    mixed = (first + size) * 0x9E3779B97F4A7C15 ^ last * 0xC2B2AE3D27D4EB4F
    return (mixed & WORD) * 0xD6E8FEB86659FD93 & WORD


def slot(hash, shift):
    return ((hash >> 32 & HALF) * (2 * shift + 1) & HALF) >> 23


def place(names):
    """A displacement for each bucket and the index in each slot, so that no two names share one."""
    buckets = [[] for _ in range(BUCKETS)]
    for index, name in names:
        buckets[digest(name) >> 57].append((index, digest(name)))
    shifts, slots = [0] * BUCKETS, [None] * SLOTS
    for number in sorted(range(BUCKETS), key=lambda number: -len(buckets[number])):
        for shift in range(1 << 15):
            places = [slot(hash, shift) for _, hash in buckets[number]]
            if len(set(places)) == len(places) and all(slots[place] is None for place in places):
                break
        else:
            raise SystemExit("no displacement; choose other factors")
        shifts[number] = shift
        for place, (index, _) in zip(places, buckets[number]):
            slots[place] = index
    return shifts, [0 if index is None else index for index in slots]


def lines(numbers):
    text = ", ".join(str(number) for number in numbers) + ","
    while len(text) > 104:
        cut = text.rindex(" ", 0, 104)
        yield "    " + text[:cut]
        text = text[cut + 1:]
    yield "    " + text


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--version", action="append", default=[], help="of the server of the next file")
    parser.add_argument("servers", nargs="+")
    parser.add_argument("--list")
    arguments = parser.parse_args()
    commands = of_list(arguments.list) if arguments.list else {}
    for path in reversed(arguments.servers):
        commands.update(of_server(path))
    names = sorted(commands)
    shifts, slots = place([(index, name) for index, name in enumerate(names) if "|" not in name])
    sources = ", ".join(arguments.version) + (", and the list of npm's @ioredis/commands" if arguments.list else "")
    out = [
        "//! The commands of servers, their arity, what they do, and where their keys stand. Written by",
        "//! `codecs/redis/generate/commands.py`, which see; not to be changed by hand.",
        "//!",
        f"//! From: {sources}.",
        "",
        "use super::{ADMIN, BLOCKING, NO_MULTI, Row, WRITE, at, count, count_by, range, row, word};",
        "",
        "/// All commands and subcommands, sorted by name.",
        "#[rustfmt::skip]",
        f"pub(crate) static TABLE: [Row; {len(names)}] = [",
    ]
    for name in names:
        arity, flags, specs = commands[name]
        flags = " | ".join(FLAGS[flag] for flag in FLAGS if flag in flags) or "0"
        out.append(f'    row("{name}", {arity}, {flags}, &[{", ".join(specs)}]),')
    out += ["];", ""]
    (TARGET / "commands.rs").write_text("\n".join(out))
    out = [
        "//! How commands are found by name: a perfect hash over their names, whatever their case. Written by",
        "//! `codecs/redis/generate/commands.py`, which see; not to be changed by hand.",
    ]
    for name, numbers, what in [
        ("SHIFTS", shifts, "What moves the hashes of a bucket."),
        ("SLOTS", slots, "The place of each command in the table; where there is none, 0."),
    ]:
        out += ["", f"/// {what}", "#[rustfmt::skip]", f"pub(super) static {name}: [u16; {len(numbers)}] = ["]
        out += [*lines(numbers), "];"]
    (TARGET / "slots.rs").write_text("\n".join(out) + "\n")



main()
