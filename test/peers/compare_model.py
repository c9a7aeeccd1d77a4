"""Loads a model folder that spar saved, or a .gguf file, with the real Transformers and compares its outputs with the ones spar computed.

python compare_model.py --model DIR_OR_GGUF --outputs FILE [--kind causal|score] [--tolerance 1e-4]
needs: torch transformers safetensors gguf (bench/peers/setup.py makes such an environment)

FILE (.safetensors, .npz or .json) holds
  input_ids       [B, T] integers
  attention_mask  [B, T] 0 or 1; optional, all ones without it. Positions count the ones, from 0.
  logits          causal: [B, T, V]; score: [B] or [B, 1]
Padding is not compared. Without --kind the model's own config.json decides. Prints one line of JSON with
max_abs_diff, the place of it, and ok; exit status 0 when ok, 1 when the outputs differ, 2 when they cannot be compared:
a tensor that Transformers misses, does not know or finds of another shape, shapes that do not fit, values that are not finite.
"""
import argparse
import json
import os
import sys

os.environ.update(HF_HUB_OFFLINE="1", TRANSFORMERS_VERBOSITY="error", TOKENIZERS_PARALLELISM="false", CUDA_VISIBLE_DEVICES="")


def refuse(reason):
    print(json.dumps(dict(ok=False, error=reason)))
    sys.exit(2)


def load_outputs(path):
    import numpy as np
    if path.endswith(".safetensors"):
        from safetensors.numpy import load_file
        arrays = load_file(path)
    elif path.endswith(".npz"):
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
    elif path.endswith(".json"):
        with open(path) as f:
            arrays = {name: np.asarray(rows) for name, rows in json.load(f).items()}
    else:
        refuse(f"{path}: expected a .safetensors, .npz or .json file")
    for name in ("input_ids", "logits"):
        if name not in arrays:
            refuse(f"{path} has no {name}, only {sorted(arrays)}")
    arrays.setdefault("attention_mask", np.ones_like(arrays["input_ids"]))
    if arrays["input_ids"].ndim != 2 or arrays["attention_mask"].shape != arrays["input_ids"].shape:
        refuse(f"input_ids {arrays['input_ids'].shape} and attention_mask {arrays['attention_mask'].shape} must both be [B, T]")
    return arrays


def load_model(folder, kind):
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM, AutoModelForSequenceClassification
    file = {}
    if folder.endswith(".gguf"):
        folder, file = os.path.dirname(folder), {"gguf_file": os.path.basename(folder)}
    config = AutoConfig.from_pretrained(folder, **file)
    if kind is None:
        kind = "score" if any("SequenceClassification" in name for name in config.architectures or []) else "causal"
    family = AutoModelForSequenceClassification if kind == "score" else AutoModelForCausalLM
    model, loading = family.from_pretrained(folder, dtype=torch.float32, output_loading_info=True, **file)
    problems = {key: [str(item) for item in value] for key, value in loading.items() if value and key != "error_msgs"}
    if problems or loading.get("error_msgs"):
        # Transformers would go on with random weights for what is missing.
        refuse(f"{folder} does not load cleanly: {problems or loading['error_msgs']}")
    return kind, model.eval()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", required=True)
    parser.add_argument("--outputs", required=True)
    parser.add_argument("--kind", choices=("causal", "score"))
    parser.add_argument("--tolerance", type=float, default=1e-4)
    args = parser.parse_args()
    import numpy as np
    import torch
    import transformers
    arrays = load_outputs(args.outputs)
    kind, model = load_model(args.model, args.kind)
    ids = torch.from_numpy(arrays["input_ids"].astype(np.int64))
    mask = torch.from_numpy(arrays["attention_mask"].astype(np.int64))
    positions = (mask.cumsum(1) - 1).clamp(min=0)
    with torch.no_grad():
        expected = model(input_ids=ids, attention_mask=mask, position_ids=positions).logits.float().numpy()
    got = arrays["logits"].astype(np.float32)
    if kind == "score" and got.ndim == 1:
        got = got[:, None]
    if got.shape != expected.shape:
        refuse(f"{kind} logits have shape {list(got.shape)}, Transformers gives {list(expected.shape)}")
    compared = mask.numpy().astype(bool) if kind == "causal" else np.ones(len(got), bool)
    if not np.isfinite(got[compared]).all() or not np.isfinite(expected[compared]).all():
        refuse("logits that are not finite")
    difference = np.where(compared[..., None], np.abs(got - expected), 0)
    place = np.unravel_index(int(difference.argmax()), difference.shape)
    largest = float(difference[place])
    print(json.dumps(dict(
        ok=largest <= args.tolerance, kind=kind, max_abs_diff=largest, tolerance=args.tolerance, at=[int(i) for i in place],
        got=float(got[place]), expected=float(expected[place]), values_compared=int(compared.sum()) * expected.shape[-1],
        model_type=model.config.model_type, architecture=type(model).__name__, transformers=transformers.__version__)))
    sys.exit(0 if largest <= args.tolerance else 1)


try:
    main()
except Exception as error:  # whatever a damaged folder or file makes the libraries raise: the caller still reads JSON
    refuse(f"{type(error).__name__}: {error}"[:2000])
