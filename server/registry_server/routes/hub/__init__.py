"""The Hugging Face Hub protocol, as unmodified clients speak it.

`X-Error-Code` and the Hub's own words (`sha`, `siblings`, `oid`) stay in here.
"""

# Importing a module registers its routes.
from registry_server.routes.hub import (  # noqa: F401
    accounts,
    admissions,
    commits,
    copies,
    info,
    large_files,
    not_offered,
    overviews,
    pulls,
    refs,
    repos,
    resolve,
    tree,
    xet_tokens,
)
from registry_server.routes.hub.blueprint import blueprint

__all__ = ["blueprint"]
