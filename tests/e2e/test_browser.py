"""The pages in a real browser: readable by assistive technology in every scheme and width, usable by keys alone."""

from __future__ import annotations

import os
import shutil
import struct
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from huggingface_hub import CommitOperationAdd, HfApi
from playwright.sync_api import Browser, Page, sync_playwright
from tests.client.models import safetensors_bytes
from tests.core.cards import full_card, golden_card, minimal_card
from tests.server.pushing import with_files
from tests.server.reusing import TASK, base, model_card

from registry_client.reuse import state

# huggingface_hub sends small files in a way that its HTTP client wants to be rid of.
pytestmark = pytest.mark.filterwarnings("ignore:Use 'content=:DeprecationWarning")

AXE = Path(__file__).parents[2] / "build/axe-core/4.14.1/package/axe.min.js"
# They keep the browser from asking for hosts outside.
FLAGS = (
    "--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking"
    " --disable-component-update --disable-sync --disable-dev-shm-usage"
).split()
SIZES = {"desktop": (1280, 800), "phone": (360, 740)}
README = b"""---
license: mit
tags: [digits]
---
# Digits

Reads ![three digits](digits.png) and ![a badge](https://badge.example/x.svg), see [usage](#usage).

## Usage

```python
from safetensors.torch import load_file; weights = load_file("model.safetensors")  # longer than a phone is wide
```

| split | accuracy |
|-------|---------:|
| test  | 0.978    |

<img src="https://tracker.example/p.gif" alt="tracker"><script src="https://evil.example/x.js"></script>
"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    chromium = shutil.which("chromium")
    if chromium is None or not AXE.exists():
        why = "no browser here: run scripts/install-browser.sh"
        if os.environ.get("CI") == "true":
            pytest.fail(why)
        pytest.skip(why)
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        yield launched
        launched.close()


@pytest.fixture(scope="module")
def gallery(server: Any) -> str:
    """The address of a server on which the user gallery has some models and a data set."""
    token = server.add_user("gallery")
    api = HfApi(endpoint=server.endpoint, token=token)

    def push(name: str, files: dict[str, bytes], kind: str = "model") -> str:
        api.create_repo(f"gallery/{name}", repo_type=kind)
        operations = [CommitOperationAdd(path, data) for path, data in files.items()]
        return api.create_commit(f"gallery/{name}", operations, commit_message="Push", repo_type=kind).oid

    weights = {"model.safetensors": safetensors_bytes([0.5, -1.0, 2.0])}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("huggingface_hub.constants.HF_HUB_DISABLE_XET", True)
        patch.setattr("huggingface_hub.constants.HF_HUB_DISABLE_PROGRESS_BARS", True)
        commit = push("digits", with_files(full_card(), weights) | {"README.md": README, "digits.png": png(120, 40)})
        push("pretrained", with_files(golden_card(), weights))
        push("tiny", {**with_files(minimal_card(), weights), "model.safetensors": safetensors_bytes([1.0])})
        push("bare", {"notes.txt": b"soon"})
        push("leaves", {"README.md": b"---\nlicense: mit\n---\n# Leaves\n", "leaves.csv": b"a,b\n"}, kind="dataset")
    claim = {"task": "image-classification", "dataset": "digits", "split": "test", "metric": "accuracy"}
    found = {**claim, "commit_id": commit, "claimed": 0.9778, "tolerance": 0.02, "n": 450, "duration_seconds": 1.4}
    for observed, outcome in ((0.9511, "fail"), (0.9733, "pass")):
        httpx2.post(
            f"{server.endpoint}/api/registry/v1/repos/models/gallery/digits/reruns",
            json={**found, "observed": observed, "verdict": outcome, "energy_kwh": 2e-6, "energy_source": "estimated"},
            headers={"Authorization": f"Bearer {token}"},
        ).raise_for_status()
    reuse_something(server, push)
    return str(server.endpoint)


def reuse_something(server: Any, push: Callable[..., str]) -> None:
    """A model of the gallery's that somebody reused, who says so."""
    commit = push("reused", with_files(model_card(100.0), {"model.safetensors": safetensors_bytes([2.0])}))
    reuser = server.add_user("reuser")
    tuned = with_files(
        model_card(2.0, [base("gallery/reused", commit)]), {"model.safetensors": safetensors_bytes([3.0])}
    )
    api = HfApi(endpoint=server.endpoint, token=reuser)
    api.create_repo("reuser/tuned")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("huggingface_hub.constants.HF_HUB_DISABLE_XET", True)
        patch.setattr("huggingface_hub.constants.HF_HUB_DISABLE_PROGRESS_BARS", True)
        operations = [CommitOperationAdd(path, data) for path, data in tuned.items()]
        api.create_commit("reuser/tuned", operations, commit_message="Push")
    where = {"endpoint": server.endpoint, "token": reuser}
    for alternative in ("train_own", "nothing"):
        state(f"gallery/reused@{commit}", TASK, alternative, key="gallery", **where)


def png(width: int, height: int) -> bytes:
    """A picture with a gradient."""
    rows = b"".join(b"\0" + bytes(255 * x // width for x in range(width)) for _ in range(height))
    chunks = (
        (b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)),
        (b"IDAT", zlib.compress(rows)),
        (b"IEND", b""),
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in chunks
    )


PAGES = {
    "list": "/?author=gallery",
    "fault in the form": "/?where=energy+<&q=digits",
    "nothing found": "/?author=gallery&q=zebra",
    "front": "/pareto?task=image-classification",
    "model": "/gallery/digits",
    "bare model": "/gallery/bare",
    "reused model": "/gallery/reused",
    "ledger": "/ledger",
    "ledger of a model": "/ledger?model=gallery/reused",
    "data set": "/datasets/gallery/leaves",
    "not found": "/gallery/none",
    "report": "/gallery/digits/reports/eu-form",
    "report with tables": "/gallery/digits/reports/ghg",
}


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_pages_are_accessible_and_fit(browser: Browser, gallery: str, scheme: Any, size: str) -> None:
    width, height = SIZES[size]
    with browser.new_context(viewport={"width": width, "height": height}, color_scheme=scheme) as context:
        page = context.new_page()
        for name, address in PAGES.items():
            page.goto(gallery + address)
            for details in page.locator("details").all():
                details.locator("summary").click()
            page.evaluate(AXE.read_text())  # by the debugger: the page's own policy would forbid a script
            violations = page.evaluate("axe.run()")["violations"]
            told = [(found["id"], [node["html"][:120] for node in found["nodes"]]) for found in violations]
            assert not told, name
            assert page.evaluate("document.documentElement.scrollWidth") <= width, f"{name} is wider than the screen"


def test_pages_ask_nobody_but_their_server(browser: Browser, gallery: str) -> None:
    with browser.new_context() as context:
        asked: list[str] = []
        complaints: list[str] = []
        context.on("request", lambda request: asked.append(request.url))
        context.on("console", lambda message: complaints.append(message.text))
        page = context.new_page()
        for name in ("list", "model", "data set"):
            page.goto(gallery + PAGES[name])
        page.goto(gallery + PAGES["model"])
        assert page.evaluate("document.querySelector('.prose img[src]').naturalWidth") == 120
        assert [url for url in asked if not url.startswith(f"{gallery}/")] == []
        assert complaints == []  # a policy that is broken is complained of


def test_keys_alone_lead_from_the_skip_link_to_a_model(browser: Browser, gallery: str) -> None:
    with browser.new_context() as context:
        page = context.new_page()
        page.goto(gallery + PAGES["list"])
        page.keyboard.press("Tab")
        assert focused(page) == "Skip to the content"
        page.keyboard.press("Enter")
        tab_to(page, "#q")
        page.keyboard.type("digits")
        page.keyboard.press("Enter")
        page.wait_for_url("**q=digits**")
        tab_to(page, "a.id")
        assert focused(page) == "gallery/digits"
        outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
        assert outline == "solid"
        page.keyboard.press("Enter")
        page.wait_for_url(f"{gallery}/gallery/digits")
        assert page.locator("h1").inner_text() == "gallery/digits"


def tab_to(page: Page, selector: str) -> None:
    """Press Tab until an element of this selector has the focus; 20 times are more than a list needs."""
    for _ in range(20):
        page.keyboard.press("Tab")
        if page.evaluate("selector => document.activeElement.matches(selector)", selector):
            return
    raise AssertionError(f"Tab does not reach {selector}")


def focused(page: Page) -> str:
    return str(page.evaluate("document.activeElement.innerText")).strip()
