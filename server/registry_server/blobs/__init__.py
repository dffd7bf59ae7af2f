"""The blob store: bytes that never change, by key."""
