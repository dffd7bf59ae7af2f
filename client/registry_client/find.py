"""Look for a trained model before training one."""

from __future__ import annotations

from collections.abc import Sequence

from registry_client.config import connection
from registry_client.remote import Remote
from registry_core.reaching import parse_at_least
from registry_core.records import FindPage
from registry_core.sorting import parse_sort
from registry_core.where import parse_where


def find(
    query: str | None = None,
    *,
    task: str | None = None,
    where: Sequence[str] | str = (),
    at_least: str | None = None,
    sort: str | None = None,
    author: str | None = None,
    tag: str | None = None,
    limit: int | None = None,
    cursor: str | None = None,
    endpoint: str | None = None,
    token: str | None = None,
) -> FindPage:
    """The models that fit everything given, one page of them; `cursor` of one page asks for the next.

    `where` holds conditions such as `accuracy >= 0.95`; `sort` is a key such as `energy`, or `-accuracy`
    for the largest first. `at_least` is a score to reach, such as `accuracy=0.95`, with one standard error to
    spare; it puts the model that took least energy first. Raises InvalidWhere before anything is sent.
    """
    conditions = [where] if isinstance(where, str) else list(where)
    for condition in conditions:
        parse_where(condition)
    if at_least is not None:
        parse_at_least(at_least)
    if sort is not None:
        parse_sort(sort)
    to = connection(endpoint, token)
    with Remote(to.endpoint, to.token) as remote:
        return remote.find(
            query,
            task=task,
            author=author,
            tag=tag,
            where=conditions,
            at_least=at_least,
            sort=sort,
            limit=limit,
            cursor=cursor,
        )
