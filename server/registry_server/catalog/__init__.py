"""The catalog: everything the registry knows, in SQL.

`engine` says what a database must do; every other module holds plain query functions of one noun over a `Transaction`.
No SQL stands anywhere else.
"""
