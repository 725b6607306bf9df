"""Mutations of files: of their bytes, their lines, and the values of their JSON."""

import json
import random
import re

ODD = [
    None, True, False, 0, -1, 1, 2, 2**31, 2**63, -(2**63), 10**30, 10**400, 0.5, -0.0, 1e-320,
    1e308,
    float("nan"), float("inf"), float("-inf"), "", "nan", "inf", "0", "a", "\x00", "ä" * 40, "<f4",
    "|O8", "../../etc", [], {}, [[]], [0], [1, [2]], {"a": 1}, [10**12], [10**12, 2], [0, 10**18],
]  # fmt: skip
"""What stands in place of a value."""

DEEP = 20_000
"""Levels of lists in lists, more than Python's parser of JSON and its recursion take."""


def flipped(content, chance, others):
    """One bit, or a few."""
    spoiled = bytearray(content)
    for _ in range(chance.choice((1, 1, 1, 2, 8))):
        if spoiled:
            spoiled[chance.randrange(len(spoiled))] ^= 1 << chance.randrange(8)
    return bytes(spoiled)


def cut_short(content, chance, others):
    """The end is missing."""
    return content[: chance.randrange(len(content) + 1)]


def left_out(content, chance, others):
    """Some bytes are missing."""
    first, stop = _span(content, chance)
    return content[:first] + content[stop:]


def doubled(content, chance, others):
    """Some bytes stand twice."""
    first, stop = _span(content, chance)
    return content[:stop] + content[first:]


def zeroed(content, chance, others):
    """A block that was never written to the disk."""
    first, stop = _span(content, chance)
    return content[:first] + bytes(stop - first) + content[stop:]


def noisy(content, chance, others):
    """Some bytes are others."""
    first, stop = _span(content, chance)
    return content[:first] + chance.randbytes(stop - first) + content[stop:]


def exchanged(content, chance, others):
    """Two blocks stand in each other's place."""
    size = max(1, len(content) // chance.choice((2, 8, 64)))
    blocks = [content[at : at + size] for at in range(0, len(content), size)]
    if len(blocks) > 1:
        i, j = chance.sample(range(len(blocks)), 2)
        blocks[i], blocks[j] = blocks[j], blocks[i]
    return b"".join(blocks)


def lengthened(content, chance, others):
    """Something stands at the end, or before the beginning."""
    more = chance.choice((b"\x00", b"\n", b"{}", b"\xff\xfe", chance.randbytes(40), content))
    return content + more if chance.random() < 0.7 else more + content


def replaced(content, chance, others):
    """Another file altogether."""
    garbage = chance.randbytes(chance.choice((1, 7, 300)))
    return chance.choice([b"", b"{", b"{}", b"[]", b"null", b"\x80abc", garbage, *others])


def of_another(content, chance, others):
    """The end is another file's."""
    other = chance.choice(others) if others else b""
    return content[: chance.randrange(len(content) + 1)] + other[chance.randrange(len(other) + 1) :]


def a_digit(content, chance, others):
    """A digit is another one."""
    places = [found.start() for found in re.finditer(rb"\d", content)]
    if not places:
        return flipped(content, chance, others)
    spoiled = bytearray(content)
    spoiled[chance.choice(places)] = chance.choice(b"0123456789")
    return bytes(spoiled)


def lines(content, chance, others):
    """Lines are gone, twice, or in another order."""
    found = content.splitlines(keepends=True)
    if len(found) < 2:
        return exchanged(content, chance, others)
    at, other = chance.sample(range(len(found)), 2)
    how = chance.randrange(3)
    if how == 0:
        del found[at]
    elif how == 1:
        found.insert(other, found[at])
    else:
        found[at], found[other] = found[other], found[at]
    return b"".join(found)


BYTES = (
    flipped, flipped, cut_short, left_out, doubled, zeroed, noisy, exchanged, lengthened, replaced,
    of_another, a_digit, lines,
)  # fmt: skip


def values(content, chance, others, sign=None):
    """A value of a JSON document is another; the document may be signed again."""
    try:
        document = json.loads(content)
    except ValueError:
        return flipped(content, chance, others)
    holder = {"": document}
    for _ in range(chance.choice((1, 1, 1, 2, 3))):
        _change(*_place(holder, chance), chance)
        holder.setdefault("", None)
    changed = holder[""]
    if sign is not None and isinstance(changed, dict) and chance.random() < 0.6:
        changed = sign(changed)
    text = json.dumps(changed)
    if chance.random() < 0.05:
        text = _repeated(text, chance)
    if chance.random() < 0.03:
        text = text.replace("[", "[" * DEEP, 1).replace("]", "]" * DEEP, 1)
    return text.encode()


def _place(holder, chance):
    """Return a list or an object in a document, and a key of it."""
    while True:
        keys = list(holder) if isinstance(holder, dict) else range(len(holder))
        key = chance.choice(keys)
        inner = holder[key]
        if not isinstance(inner, dict | list) or not inner or (chance.random() < 0.2 and key != ""):
            return holder, key
        holder = inner


def _change(holder, key, chance):
    value, how = holder[key], chance.randrange(6)
    if how == 0:
        del holder[key]
    elif how == 1:
        other = chance.choice(list(holder) if isinstance(holder, dict) else range(len(holder)))
        holder[key], holder[other] = holder[other], value
    elif how == 2 and isinstance(holder, list):
        holder.insert(chance.randrange(len(holder) + 1), value)
    elif how == 2:
        holder[chance.choice(("a", "b", key.upper(), f"{key}_"))] = holder.pop(key)
    elif how == 3 and isinstance(value, int | float):
        near = value * (1 + 1e-9) if abs(value) < 1e300 else value
        holder[key] = chance.choice((-value, value + 1, value - 1, value * 2, near))
    elif how == 3 and isinstance(value, str) and value:
        at = chance.randrange(len(value))
        holder[key] = value[:at] + chance.choice("0aZ<|/ é") + value[at + 1 :]
    else:
        holder[key] = chance.choice(ODD)


def _repeated(text, chance):
    """Return an object in which a key stands twice, with another value the first or second time."""
    found = list(re.finditer(r'"(\w+)": ', text))
    if not found:
        return text
    key = chance.choice(found)
    odd = json.dumps(chance.choice(ODD))
    return f"{text[: key.start()]}{key[0]}{odd}, {text[key.start() :]}"


def _span(content, chance):
    first = chance.randrange(len(content) + 1)
    return first, min(len(content), first + chance.choice((1, 1, 4, 60, 4096)))


def mutated(content, chance, others, is_json, sign=None):
    """Return the name of a mutation and what it makes of a file."""
    if is_json and chance.random() < 0.6:
        return "values", values(content, chance, others, sign)
    change = chance.choice(BYTES)
    return change.__name__, change(content, chance, others)


def chance_of(name, seed, index):
    """Return the generator of one mutation."""
    return random.Random(f"{name} {seed} {index}")
