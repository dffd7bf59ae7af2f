"""`python -m registry_client` is the command `registry`."""

from registry_client.cli import main

main()
