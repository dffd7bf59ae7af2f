"""Parts of the Hub that are not here: each call gets a clean refusal, which no client repeats.

Nothing is looked up, so that an answer tells nothing of a repo. 501 and not 503: the latter makes clients try again.
"""

from __future__ import annotations

from typing import NoReturn

from registry_core.errors import Unsupported
from registry_server.routes.hub.blueprint import blueprint

_ALL = ["GET", "POST", "PUT", "PATCH", "DELETE"]


def _any(words: str) -> str:
    """A converter for one of these words, some of which have a hyphen."""
    return "any(" + ", ".join(f'"{word}"' for word in words.split()) + ")"


_GROUPS = _any(
    "collections papers daily_papers jobs scheduled-jobs buckets tasks inference-proxy endpoints posts notifications"
    " resource-groups webhooks"
)
_ONES_OWN = _any("likes followers following webhooks mcp notifications billing tokens")
_OF_A_REPO = _any(
    "like likers leaderboard scan compare treesize notebook jwt resource-group parquet croissant"
    " secrets variables runtime hardware sleeptime pause restart events logs"
)
_GIT = _any("git-upload-pack git-receive-pack")


@blueprint.route(f"/api/<{_GROUPS}:group>", methods=_ALL)
@blueprint.route(f"/api/<{_GROUPS}:group>/<path:more>", methods=_ALL)
@blueprint.route(f"/api/settings/<{_ONES_OWN}:group>", methods=_ALL)
@blueprint.route(f"/api/settings/<{_ONES_OWN}:group>/<path:more>", methods=_ALL)
@blueprint.route(f"/api/users/<account>/<{_ONES_OWN}:group>", methods=_ALL)
@blueprint.route(f"/api/organizations/<account>/<{_ONES_OWN}:group>", methods=_ALL)
@blueprint.route(f"/api/<any(models, datasets):kinds>/<one>/<two>/<{_OF_A_REPO}:group>", methods=_ALL)
@blueprint.route(f"/api/<any(models, datasets):kinds>/<one>/<two>/<{_OF_A_REPO}:group>/<path:more>", methods=_ALL)
@blueprint.post("/oauth/<any(device, token):group>")
@blueprint.post("/api/<any(spaces, kernels):kinds>/<path:group>")
@blueprint.put("/api/<any(spaces, kernels):kinds>/<path:group>")
@blueprint.delete("/api/<any(spaces, kernels):kinds>/<path:group>")
def not_offered(group: str, **_: str) -> NoReturn:
    """501."""
    raise Unsupported(f"{group.partition('/')[0]} is not offered here.")


@blueprint.post("/api/<any(models, datasets):kinds>/<one>/<two>/discussions/<int:number>/<path:more>")
def no_discussion(**_: object) -> NoReturn:
    """501: pull requests are neither discussed nor merged here."""
    raise Unsupported(
        "Pull requests are neither discussed nor merged here.",
        hint="Pull refs/pr/NUMBER, and push what you want to keep to a branch.",
    )


@blueprint.get("/<one>/<two>.git/info/refs")
@blueprint.post(f"/<one>/<two>.git/<{_GIT}:service>")
@blueprint.get("/datasets/<one>/<two>.git/info/refs")
@blueprint.post(f"/datasets/<one>/<two>.git/<{_GIT}:service>")
def no_git(**_: str) -> NoReturn:
    """501: there is no `git clone` yet; large files travel by git-LFS."""
    raise Unsupported("git clone and git push are not offered here.", hint="Use a Hub client: hf download, hf upload.")


@blueprint.get("/api/<any(spaces, kernels):kinds>")
def none_of_these(kinds: str) -> NoReturn:
    """501: there are models and data sets here."""
    raise Unsupported(f"There are no {kinds} here.", hint="There are models and datasets.")
