#!/usr/bin/env python3
"""Ask systemd's own parser what environment files and command lines mean, and write the answers down.

    generate.py /usr/lib/x86_64-linux-gnu/systemd/libsystemd-shared-252.so

writes environment-files.tsv (file, then its assignments, or "error") and command-lines.tsv (arguments, then what they become,
with the environment ENVIRONMENT below). Everything is in hexadecimal, so that any byte may occur; lists are joined by commas.
The inputs are drawn from a fixed seed: the same library gives the same files.
"""
import ctypes
import os
import random
import sys
import tempfile

ENVIRONMENT = ["ONE=one", "TWO=two words", "QUOTED='a b' c\"d e\" \\\"f", "EMPTY=", "_x1=y", "BLANK= \t "]
CASES = 3000

library = ctypes.CDLL(sys.argv[1])
strings = ctypes.POINTER(ctypes.c_char_p)
library.load_env_file.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.POINTER(strings)]
library.strv_env_clean_with_callback.argtypes = [strings, ctypes.c_void_p, ctypes.c_void_p]
library.strv_env_clean_with_callback.restype = strings
library.replace_env_argv.argtypes = [strings, strings]
library.replace_env_argv.restype = strings


def array(items):
    return (ctypes.c_char_p * (len(items) + 1))(*items, None)


def listed(pointer):
    items = []
    while pointer and pointer[len(items)] is not None:
        items.append(pointer[len(items)])
    return items


def hexed(items):
    return ",".join(item.hex() for item in items)


def draw(pieces, longest):
    return b"".join(random.choice(pieces) for _ in range(random.randint(0, longest)))


def environment_file(content):
    with tempfile.NamedTemporaryFile() as file:
        file.write(content)
        file.flush()
        result = strings()
        if library.load_env_file(None, file.name.encode(), ctypes.byref(result)) < 0:
            return "error"
        return hexed(listed(library.strv_env_clean_with_callback(result, None, None)))


def write(name, rows):
    with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), name), "w") as file:
        file.writelines("\t".join(row) + "\n" for row in rows)


random.seed(252)

pieces = [b"A", b"B", b"_1", b"=", b"=", b"=", b"'", b'"', b"\\", b"\\", b" ", b"\t", b"\n", b"\n", b"\r", b"#", b";", b"$", b"`",
          b"x y", "é".encode(), b"export ", b"A=", b"\nB=", b"\\\n", b"\\n"]
contents = [draw(pieces, 14) for _ in range(CASES)]
contents += [draw(pieces + [b"\xff", b"\0", b"\xc3"], 10) for _ in range(CASES // 10)]
write("environment-files.tsv", ([content.hex(), environment_file(content)] for content in contents))

pieces = [b"$", b"$", b"$", b"{", b"}", b"{", b"}", b"ONE", b"TWO", b"QUOTED", b"EMPTY", b"_x1", b"BLANK", b"NONE", b":", b"-", b"+",
          b" ", b"x", b"$ONE", b"${ONE}", b"${TWO}", b"$$", b"\\", b"'"]
rows = []
for _ in range(CASES):
    words = [draw(pieces, 6) for _ in range(random.randint(1, 3))]
    answer = listed(library.replace_env_argv(array(words), array([item.encode() for item in ENVIRONMENT])))
    rows.append([hexed(words), str(len(answer)), hexed(answer)])
write("command-lines.tsv", rows)
