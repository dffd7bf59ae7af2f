"""A 503 MB model and two variants of it through stock clients: seconds, bytes sent, server CPU and memory, disk.

    python benchmarks/hub.py [--repeat 3] [--peers FOLDER]

The model is 240 bf16 tensors of 2 MiB from a normal distribution; `ft5` has 12 of them replaced, `meta` a longer
header, so that every byte behind it is shifted. Each step is a new client process with an empty home, so no step
profits from a client's cache. As root it runs in a network namespace of its own, where the loopback counter counts
nothing else.

With `--peers` the same steps run, in the same run, through an OCI registry (`docker-registry` on the PATH, oras in
FOLDER/oras) and MLflow (in FOLDER/mlflow); each is a virtual environment.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import psutil
from measure import REGISTRY, machine, served

TENSORS, TENSOR_VALUES = 240, 1 << 20
STEPS = {"push first": "base", "push identical": "base", "push ft5": "ft5", "push meta": "meta"}

HUB = """
import sys
from huggingface_hub import HfApi, hf_hub_download
step, file, token = sys.argv[1:]
if step == "pull":
    hf_hub_download("bench/model", "model.safetensors", token=token)
else:
    api = HfApi(token=token)
    api.create_repo("bench/model", exist_ok=True)
    api.upload_file(path_or_fileobj=file, path_in_repo="model.safetensors", repo_id="bench/model")
"""
ORAS = """
import os, sys
from oras.client import OrasClient
step, file, host = sys.argv[1:]
client = OrasClient(hostname=host, insecure=True)
if step == "pull":
    client.pull(target=f"{host}/bench/model:base", outdir=os.environ["HOME"])
else:
    folder, name = os.path.split(file)
    os.chdir(folder)
    client.push(target=f"{host}/bench/model:{os.path.basename(folder)}", files=[name], disable_path_validation=True)
"""
MLFLOW = """
import sys, mlflow
from mlflow import MlflowClient
step, file, uri = sys.argv[1:]
mlflow.set_tracking_uri(uri)
client = MlflowClient()
if step == "pull":
    run = client.search_runs(["0"], order_by=["attributes.start_time"])[0]
    mlflow.artifacts.download_artifacts(run_id=run.info.run_id, artifact_path="model")
else:
    run = client.create_run("0")
    client.log_artifact(run.info.run_id, file, "model")
    client.set_terminated(run.info.run_id)
"""


def write_model(path: Path, *, replaced: frozenset[int] = frozenset(), note: str = "base") -> None:
    """A bf16 safetensors file of 503 MB; the tensors numbered in `replaced` come from other seeds."""
    path.parent.mkdir(parents=True)
    size = 2 * TENSOR_VALUES
    header: dict[str, object] = {"__metadata__": {"note": note}}
    for i in range(TENSORS):
        header[f"layer.{i:03d}"] = {"dtype": "BF16", "shape": [1024, 1024], "data_offsets": [i * size, (i + 1) * size]}
    encoded = json.dumps(header).encode()
    chance = np.random.default_rng(0)
    with path.open("wb") as file:
        file.write(struct.pack("<Q", len(encoded)) + encoded)
        for i in range(TENSORS):
            values = chance.standard_normal(TENSOR_VALUES)
            if i in replaced:
                values = np.random.default_rng(1000 + i).standard_normal(TENSOR_VALUES)
            # bf16 is the upper half of a float32.
            file.write(((values * 0.02).astype(np.float32).view(np.uint32) >> 16).astype(np.uint16).tobytes())


class System:
    """One server with its client; `client(step, file)` is the command of one step."""

    def __init__(self, name: str, pid: int, store: Path, client: Callable[[str, Path], list[object]]) -> None:
        self.name, self.pid, self.store, self.client = name, pid, store, client
        self.environment: dict[str, str] = {}

    def step(self, step: str, file: Path) -> dict[str, float]:
        """Run one step in a new process with an empty home."""
        home = tempfile.mkdtemp(dir=self.store.parent)
        environment = {**os.environ, "HOME": home, "HF_HOME": home, "HF_HUB_DISABLE_TELEMETRY": "1", **self.environment}
        cpu, sent, start = _cpu_seconds(self.pid), _loopback_bytes(), time.perf_counter()
        subprocess.run(
            [str(part) for part in self.client(step, file)], env=environment, check=True, capture_output=True
        )
        seconds = time.perf_counter() - start
        time.sleep(2)  # what the server still does after its answer is its work all the same
        shutil.rmtree(home)
        return {
            "seconds": seconds,
            "loopback_mb": (_loopback_bytes() - sent) / 1e6,
            "server_cpu_seconds": _cpu_seconds(self.pid) - cpu,
        }


def measure(system: System, models: Path) -> dict[str, object]:
    """All steps of one system, and what its server took."""
    figures: dict[str, object] = {}
    for step, variant in STEPS.items():
        figures[step] = system.step(step, models / variant / "model.safetensors")
    figures["pull"] = system.step("pull", models / "base" / "model.safetensors")
    figures["disk_mb"] = sum(path.stat().st_blocks for path in system.store.rglob("*") if path.is_file()) * 512 / 1e6
    figures["server_peak_rss_mb"] = sum(_peak_bytes(process.pid) for process in _family(system.pid)) / 1e6
    return figures


def ours(scratch: Path, models: Path, *, xet: bool) -> dict[str, object]:
    """Our server with the stock Hub client, by Xet or by LFS; and `registry pull`, which checks every SHA-256."""
    with served(scratch / "data") as server:
        token = server.add_user("bench")
        system = System(
            "ours", server.pid, scratch / "data", lambda step, file: [sys.executable, "-c", HUB, step, file, token]
        )
        system.environment = {"HF_ENDPOINT": server.endpoint} | ({} if xet else {"HF_HUB_DISABLE_XET": "1"})
        figures = measure(system, models)
        system.client = lambda _, __: [
            REGISTRY, "pull", "bench/model", "--endpoint", server.endpoint, "--token", token
        ]  # fmt: skip
        figures["registry pull, checked"] = system.step("pull", models / "base")
    return figures


def oci(scratch: Path, models: Path, peers: Path) -> dict[str, object]:
    """docker-registry with oras."""
    port = _free_port()
    (scratch / "store").mkdir()
    config = scratch / "registry.yml"
    config.write_text(
        f"version: 0.1\nlog: {{level: error}}\nstorage:\n  filesystem: {{rootdirectory: {scratch}/store}}\n"
        f"http: {{addr: '127.0.0.1:{port}'}}\n"
    )
    with _running(["docker-registry", "serve", config], f"http://127.0.0.1:{port}/v2/") as pid:
        python = peers / "oras/bin/python"
        client = System(
            "oci", pid, scratch / "store", lambda step, file: [python, "-c", ORAS, step, file, f"127.0.0.1:{port}"]
        )
        return measure(client, models)


def mlflow(scratch: Path, models: Path, peers: Path) -> dict[str, object]:
    """MLflow's own server with proxied artifacts."""
    port, python = _free_port(), peers / "mlflow/bin/python"
    (scratch / "store").mkdir()
    command = [
        python, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", port,
        "--backend-store-uri", f"sqlite:///{scratch}/mlflow.db", "--artifacts-destination", f"{scratch}/store",
    ]  # fmt: skip
    with _running(command, f"http://127.0.0.1:{port}/health") as pid:
        uri = f"http://127.0.0.1:{port}"
        client = System("mlflow", pid, scratch / "store", lambda step, file: [python, "-c", MLFLOW, step, file, uri])
        return measure(client, models)


class _running:
    def __init__(self, command: list[object], address: str) -> None:
        self._command, self._address = [str(part) for part in command], address

    def __enter__(self) -> int:
        import httpx2

        environment = {**os.environ, "PATH": f"{Path(self._command[0]).parent}:{os.environ['PATH']}"}
        self._process = subprocess.Popen(
            self._command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        for _ in range(1200):
            try:
                if httpx2.get(self._address).status_code < 500:
                    return self._process.pid
            except httpx2.HTTPError:
                time.sleep(0.05)
        raise RuntimeError(f"{self._command[0]} does not answer at {self._address}")

    def __exit__(self, *_: object) -> None:
        for process in _family(self._process.pid):
            process.terminate()
        self._process.wait(30)


def medians(runs: list[dict[str, object]]) -> dict[str, object]:
    """The median of every figure over the runs."""
    found: dict[str, object] = {}
    for name, first in runs[0].items():
        values = [run[name] for run in runs]
        found[name] = medians(values) if isinstance(first, dict) else round(statistics.median(values), 2)  # type: ignore[arg-type]
    return found


def _family(pid: int) -> list[psutil.Process]:
    process = psutil.Process(pid)
    return [process, *process.children(recursive=True)]


def _cpu_seconds(pid: int) -> float:
    return sum(sum(process.cpu_times()[:2]) for process in _family(pid))


def _peak_bytes(pid: int) -> int:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM"):
            return int(line.split()[1]) * 1024
    return 0


def _loopback_bytes() -> int:
    for line in Path("/proc/net/dev").read_text().splitlines():
        if line.strip().startswith("lo:"):
            return int(line.split(":")[1].split()[0])
    return 0


def _free_port() -> int:
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _own_network() -> bool:
    """Start again in a network namespace with nothing but a loopback; False where that is not allowed."""
    if os.environ.get("BENCHMARK_NETWORK") == "own":
        return True
    if subprocess.run(["unshare", "-n", "true"], capture_output=True, check=False).returncode:
        return False
    os.environ["BENCHMARK_NETWORK"] = "own"
    command = 'ip link set lo up && exec "$0" "$@"'
    return os.execvp("unshare", ["unshare", "-n", "sh", "-c", command, sys.executable, *sys.argv])


def main() -> None:
    """Print one JSON document."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--peers", type=Path)
    options = parser.parse_args()
    own_network = _own_network()
    systems: dict[str, Callable[[Path, Path], dict[str, object]]] = {
        "ours, Xet": lambda scratch, models: ours(scratch, models, xet=True),
        "ours, LFS": lambda scratch, models: ours(scratch, models, xet=False),
    }
    if options.peers:
        systems["OCI"] = lambda scratch, models: oci(scratch, models, options.peers)
        systems["MLflow"] = lambda scratch, models: mlflow(scratch, models, options.peers)
    runs: dict[str, list[dict[str, object]]] = {name: [] for name in systems}
    with tempfile.TemporaryDirectory() as folder:
        models = Path(folder) / "models"
        write_model(models / "base/model.safetensors")
        write_model(models / "ft5/model.safetensors", replaced=frozenset(range(0, TENSORS, 20)))
        write_model(models / "meta/model.safetensors", note="n" * 300)
        for turn in range(options.repeat):
            for name, run in systems.items():
                scratch = Path(folder) / f"{name.replace(', ', '-')}-{turn}"
                scratch.mkdir()
                runs[name].append(run(scratch, models))
                shutil.rmtree(scratch)
                print(f"{name}, run {turn + 1}: {json.dumps(runs[name][-1])}", file=sys.stderr, flush=True)
    figures = {name: medians(found) for name, found in runs.items()}
    print(json.dumps({"machine": machine(), "own_network": own_network, "repeat": options.repeat, **figures}, indent=2))


if __name__ == "__main__":
    main()
