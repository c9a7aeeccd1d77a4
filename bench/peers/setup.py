"""Makes the Python environments of the peers. Safe to run again: what is complete is left as it is.

python3 bench/peers/setup.py --dir DIR [--only main|ppo|trackers]        needs: Python 3.10+ with venv; on Linux without CUDA also gcc, binutils

DIR/venv      torch, Transformers 5, TRL 1: every peer but PPO, and test/peers
DIR/venv-ppo  TRL 0.12.2 with the Transformers of its time, for ppo.py; uses DIR/venv's torch
DIR/venv-NAME one of SERVICES, made only when asked for: programs that spar talks to, for test/peers
About 540 MB are downloaded, 3 GB of disk used: on Linux the CUDA libraries are replaced by stubs, see stub_cuda.py.
The last line printed is JSON with the two interpreters' paths.
"""
import argparse
import glob
import hashlib
import json
import os
import subprocess
import sys
import venv

HERE = os.path.dirname(os.path.abspath(__file__))
TORCH = ["torch==2.15.0"]
# What torch and accelerate need, given by hand: their own lists would bring the CUDA packages along.
BASE = ["sympy", "networkx", "jinja2", "fsspec", "typing_extensions", "filelock", "setuptools", "numpy", "psutil", "pyyaml"]
MAIN = ["transformers==5.23.0", "tokenizers", "safetensors", "datasets==5.2.0", "tensorboard==2.21.0", "gguf==0.19.0", "openai==3.54.0"]
MAIN_ALONE = ["trl==1.16.0", "accelerate==1.15.0"]
PPO = ["transformers==4.46.3", "datasets==3.1.0", "rich"]
PPO_ALONE = ["trl==0.12.2", "accelerate==1.1.1"]
SERVICES = {
    "trackers": ["wandb==0.31.0", "tensorboard==2.21.0", "trackio==0.43.0", "mlflow==3.17.2"],
    "label-studio": ["label-studio==1.23.2"],
}
PROBE = {
    "main": "import torch, trl; from trl import SFTTrainer, RewardTrainer; print(float(torch.ones(2, 2).mm(torch.ones(2, 2)).sum()))",
    "label-studio": "import label_studio, label_studio_sdk",
    "trackers": "import wandb, tensorboard, trackio, mlflow",
    "ppo": "import torch; import trl.trainer.ppo_trainer; print(float(torch.ones(2, 2).mm(torch.ones(2, 2)).sum()))",
}


def run(*command):
    print("+", *command, file=sys.stderr, flush=True)
    subprocess.run(command, check=True, stdout=sys.stderr)


def python_of(folder):
    return os.path.join(folder, "Scripts" if os.name == "nt" else "bin", "python.exe" if os.name == "nt" else "python")


def site_packages(folder):
    return subprocess.run([python_of(folder), "-c", "import sysconfig; print(sysconfig.get_paths()['purelib'])"],
                          check=True, capture_output=True, text=True).stdout.strip()


def has_pip(folder):
    try:
        return subprocess.run([python_of(folder), "-m", "pip", "--version"], capture_output=True).returncode == 0
    except OSError:
        return False


def install(folder, packages, *options):
    run(python_of(folder), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *options, *packages)


def is_complete(folder, fingerprint):
    try:
        with open(os.path.join(folder, "complete")) as f:
            return f.read() == fingerprint
    except OSError:
        return False


def make(folder, kind, main):
    with open(os.path.join(HERE, "stub_cuda.py"), "rb") as f:
        stub = f.read()
    listed = SERVICES.get(kind)
    fingerprint = hashlib.sha256(repr(listed).encode()).hexdigest() if listed else hashlib.sha256(repr((TORCH, BASE, MAIN, MAIN_ALONE, PPO, PPO_ALONE)).encode() + stub).hexdigest()
    if is_complete(folder, fingerprint):
        return
    if not has_pip(folder):
        venv.create(folder, with_pip=True, clear=True, symlinks=os.name != "nt")
    packages = site_packages(folder)
    if listed:
        install(folder, listed)
    elif kind == "main":
        install(folder, TORCH, "--no-deps")
        install(folder, BASE + MAIN)
        install(folder, MAIN_ALONE, "--no-deps")
        if sys.platform == "linux" and os.path.exists(os.path.join(packages, "torch", "lib", "libtorch_cuda.so")):
            run(sys.executable, os.path.join(HERE, "stub_cuda.py"), packages)
    else:
        install(folder, BASE + PPO)
        install(folder, PPO_ALONE, "--no-deps")
        for name in ("torch", "torchgen", "functorch", "torch-*.dist-info"):
            for source in glob.glob(os.path.join(site_packages(main), name)):
                link = os.path.join(packages, os.path.basename(source))
                if not os.path.lexists(link):
                    os.symlink(os.path.relpath(source, packages), link)
    run(python_of(folder), "-c", PROBE[kind])
    # Written last: without it the environment is taken for an interrupted one and is completed.
    with open(os.path.join(folder, "complete"), "w") as f:
        f.write(fingerprint)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dir", required=True)
    parser.add_argument("--only", choices=("main", "ppo", *SERVICES))
    args = parser.parse_args()
    base = os.path.abspath(args.dir)
    if args.only in SERVICES:
        folder = os.path.join(base, f"venv-{args.only}")
        make(folder, args.only, None)
        print(json.dumps({args.only: python_of(folder)}))
        return
    result = {"main": os.path.join(base, "venv")}
    make(result["main"], "main", None)
    if args.only != "main":
        result["ppo"] = os.path.join(base, "venv-ppo")
        make(result["ppo"], "ppo", result["main"])
    print(json.dumps({kind: python_of(folder) for kind, folder in result.items()}))


main()
