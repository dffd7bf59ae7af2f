"""What can be done with the registry: one verb a function, over a catalog and a blob store.

A use case opens the transactions it needs, asks `access` whether the caller may, and leaves SQL to the catalog and HTTP
to the routes.
"""
