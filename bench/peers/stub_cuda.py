"""Lets PyPI's CUDA build of PyTorch run on a machine without a GPU and without the 2-3 GB of NVIDIA packages it asks for.

python stub_cuda.py SITE_PACKAGES            needs: gcc, readelf (binutils)

PyPI has no CPU-only wheel of torch for Linux, and the CUDA one does not even import without its CUDA libraries. This
writes, beside torch's own libraries, one small shared library for each missing one. It has every symbol that torch links
to, with the version that the linker asks for, and each function answers 100 (cudaErrorNoDevice). torch then reports no
device and computes on the CPU with the same kernels as ever. For benchmarks and parity checks only.
"""
import os
import re
import subprocess
import sys
import tempfile

MISSING = re.compile(r"lib(cu(dart|blas|blasLt|sparse|sparseLt|fft|file|pti|solver|dnn|rand)|nccl|nvrtc|nvshmem_host|nvToolsExt)\.so\.\d+$")
# Only these may be stubbed where a symbol has no version: torch also leaves some of the C++ runtime's unversioned.
CUDA = re.compile(r"(__cuda|cu|nccl|nvrtc|nvshmem|nvtx|nvJitLink)")
TEXT = re.compile(r"(Error|Status)_?(String|Name)$|get_?error_?(string|name)$", re.I)


def read(*command):
    return subprocess.run(command, check=True, capture_output=True, text=True, env={**os.environ, "LC_ALL": "C"}).stdout


def needed(path):
    return re.findall(r"NEEDED.*\[(.+?)\]", read("readelf", "-dW", path))


def version_owners(path):
    """{version: file} of the versions that path asks other libraries for."""
    owners, file = {}, None
    for line in read("readelf", "-VW", path).split("version needs", 1)[-1].splitlines():
        if found := re.search(r"File: (\S+)", line):
            file = found[1]
        if found := re.search(r"Name: (\S+)", line):
            owners[found[1]] = file
    return owners


def dynamic_symbols(path):
    """(name, version or None, is defined, binding) of each dynamic symbol."""
    for line in read("readelf", "--dyn-syms", "-W", path).splitlines():
        cells = line.split()
        if len(cells) >= 8 and cells[0][:-1].isdigit():
            name, _, version = cells[7].partition("@")
            yield name, version.lstrip("@") or None, cells[6] != "UND", cells[4]


def build(out, soname, versions):
    """versions: {version or None: names}."""
    folder = tempfile.mkdtemp()
    source, script = os.path.join(folder, "stub.c"), os.path.join(folder, "stub.map")
    with open(source, "w") as f:
        for name in sorted(set().union(*versions.values()) if versions else ()):
            body = '{ return "no CUDA: stub library"; }' if TEXT.search(name) else "{ return 100; }"
            f.write(f"{'const char *' if TEXT.search(name) else 'long '}{name}(void) {body}\n")
        f.write("static int unused;\n")
    with open(script, "w") as f:
        for version, names in versions.items():
            if version:
                f.write(f"{version} {{ {'global:' if names else ''} {' '.join(f'{n};' for n in sorted(names))} }};\n")
    versioned = [f"-Wl,--version-script={script}"] if any(versions) else []
    subprocess.run(["gcc", "-shared", "-fPIC", "-w", "-fno-builtin", "-O1", f"-Wl,-soname,{soname}", *versioned, source,
                    "-o", os.path.join(out, soname)], check=True)


def main():
    lib = os.path.join(sys.argv[1], "torch", "lib")
    files = [os.path.join(lib, f) for f in sorted(os.listdir(lib)) if ".so" in f and not MISSING.match(f)]
    wanted = sorted({n for f in files for n in needed(f) if MISSING.match(n)})
    stubs = {name: {} for name in wanted}
    anywhere = next(name for name in wanted if name.startswith("libcudart."))
    symbols = [(f, list(dynamic_symbols(f))) for f in files]
    defined = {name for _, rows in symbols for name, _, is_defined, _ in rows if is_defined}
    for file, rows in symbols:
        owners = version_owners(file)
        for version, owner in owners.items():
            if owner in stubs:
                stubs[owner].setdefault(version, set())
        for name, version, is_defined, bind in rows:
            if is_defined or bind == "WEAK":
                continue
            owner = owners.get(version) if version else None
            if owner in stubs:
                stubs[owner].setdefault(version, set()).add(name)
            elif version is None and name not in defined and CUDA.match(name):
                # Which library it belongs to is not written anywhere; the linker looks in all of them.
                stubs[anywhere].setdefault(None, set()).add(name)
    for soname, versions in stubs.items():
        build(lib, soname, versions)
    print(f"wrote {len(stubs)} stub libraries, {sum(len(n) for v in stubs.values() for n in v.values())} symbols, to {lib}")


main()
