"""`.gitattributes` and `.gitignore`, and the paths that they are asked about: a blank line stands between the two."""

from __future__ import annotations

from registry_core.ids import RepoPath
from registry_server.git.attributes import Attributes, Ignored

SEEDS = [
    b"*.bin filter=lfs diff=lfs merge=lfs -text\n\nsub/w.bin",
    b"/a/**/b*c?d[!x-z]e filter=lfs\n*.txt -filter\n\na/x/y/bccde",
    b'[attr]binary -diff\n\\#x filter=lfs\n"a b" filter=lfs\n\n#x',
    b"**/build/\n!keep.txt\n*.py[co]\n\nx/build/a",
    b"*a*a*a*a*a*a*a*b filter=lfs\n\n" + b"a" * 60,
    b"[[:alpha:]]*[]-] filter=lfs\n\na]",
]


def read(data: bytes) -> None:
    content, _, rest = data.partition(b"\n\n")
    path = RepoPath(rest.decode(errors="replace"))
    Attributes(content).is_lfs(path)
    assert (path in Ignored(content)) in (True, False)
