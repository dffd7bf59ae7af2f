"""The subcommands of `registry`, one a file: each parses, calls the library, prints."""
