"""Writes a model folder as GGUF, with the names and the layout of llama.cpp's converter, by Python's gguf package.

python make_gguf.py DIR OUT.gguf [--type F32|F16|BF16|Q8_0|Q4_0|Q4_1|Q5_0|Q5_1]     needs: gguf safetensors numpy

llama's (and Mistral's) q and k have their rows paired for llama.cpp's rotation, GPT-2's matrices are transposed.
Matrices are stored as --type where their rows are whole blocks, everything else as F32. No tokenizer.
"""
import argparse
import json
import os

import gguf
import numpy as np
from safetensors.numpy import load_file

parser = argparse.ArgumentParser()
parser.add_argument("folder")
parser.add_argument("out")
parser.add_argument("--type", default="F32")
args = parser.parse_args()
with open(os.path.join(args.folder, "config.json")) as file:
    config = json.load(file)
kind = config["model_type"]
name = "llama" if kind == "mistral" else kind
arch = {value: key for key, value in gguf.MODEL_ARCH_NAMES.items()}[name]
layers = config.get("num_hidden_layers") or config["n_layer"]
names = gguf.get_tensor_name_map(arch, layers)
writer = gguf.GGUFWriter(args.out, name)
writer.add_block_count(layers)
writer.add_name(kind)
if kind == "gpt2":
    writer.add_context_length(config["n_positions"])
    writer.add_embedding_length(config["n_embd"])
    writer.add_feed_forward_length(config.get("n_inner") or 4 * config["n_embd"])
    writer.add_head_count(config["n_head"])
    writer.add_layer_norm_eps(config["layer_norm_epsilon"])
else:
    heads, kv_heads = config["num_attention_heads"], config["num_key_value_heads"]
    head_dim = config.get("head_dim") or config["hidden_size"] // heads
    writer.add_context_length(config["max_position_embeddings"])
    writer.add_embedding_length(config["hidden_size"])
    writer.add_feed_forward_length(config["intermediate_size"])
    writer.add_head_count(heads)
    writer.add_head_count_kv(kv_heads)
    writer.add_key_length(head_dim)
    writer.add_value_length(head_dim)
    writer.add_rope_dimension_count(head_dim)
    writer.add_layer_norm_rms_eps(config["rms_norm_eps"])
    writer.add_rope_freq_base(config["rope_parameters"]["rope_theta"])
writer.add_vocab_size(config["vocab_size"])


def pair(weights, count):
    return weights.reshape(count, 2, weights.shape[0] // count // 2, *weights.shape[1:]).swapaxes(1, 2).reshape(weights.shape)


for tensor, weights in load_file(os.path.join(args.folder, "model.safetensors")).items():
    weights = weights.astype(np.float32)
    if name == "llama" and "q_proj" in tensor:
        weights = pair(weights, heads)
    if name == "llama" and "k_proj" in tensor:
        weights = pair(weights, kv_heads)
    if kind == "gpt2" and tensor.endswith(("c_attn.weight", "c_proj.weight", "c_fc.weight")):
        weights = weights.T
    weights = np.ascontiguousarray(weights)
    as_type = gguf.GGMLQuantizationType[args.type]
    if weights.ndim < 2 or weights.shape[-1] % gguf.GGML_QUANT_SIZES[as_type][0] != 0:
        as_type = gguf.GGMLQuantizationType.F32
    target = names.get_name(tensor, try_suffixes=(".weight", ".bias"))
    assert target is not None, tensor
    writer.add_tensor(target, gguf.quantize(weights, as_type), raw_dtype=as_type)
writer.write_header_to_file()
writer.write_kv_data_to_file()
writer.write_tensors_to_file()
writer.close()
