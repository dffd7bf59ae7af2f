"""The library and the `registry` command."""
