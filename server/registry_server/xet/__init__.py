"""Xet, the transfer protocol of Hub clients, as pure functions: hashes, xorbs, shards, checks and plans.

    file ── cut by the client into ──► chunks ── packed into ──► xorbs (<= 64 MiB raw, each chunk compressed on its own)
      └── is a list of ──► terms: (xorb, from chunk, to chunk)
    shard: the file and chunk lists that client and server send each other

    hashing    names of chunks, xorbs and files
    xorb       reading and verifying a stored xorb; its index
    shard      reading an uploaded shard, writing the answer to a deduplication query
    checks     is a registered file really made of the xorbs we hold
    plan       which bytes of which xorbs make up a file, or a range of one

Nothing here opens a file, a socket or a database, or reads a clock.
"""
