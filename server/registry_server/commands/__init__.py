"""The server's part of the `registry` command."""
