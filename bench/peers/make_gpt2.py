"""Writes the model that the benchmarks of both sides run: random weights in the shape of a published one, as a Hugging Face folder.

python make_gpt2.py --model DIR [--arch gpt2|smollm2] [--seed 0]        needs: torch transformers tokenizers safetensors

gpt2: GPT-2 small, 124M parameters. smollm2: the shape of SmolLM2-135M (Llama, 9 query and 3 key-value heads). f32, all
dropouts 0. The tokenizer is a byte-level BPE of the full vocabulary size, made of letter groups by rule: ids and speed are
realistic, the text means nothing. A folder that is complete already is left as it is.
"""
import argparse
import itertools
import json
import os
import string


def build_tokenizer(size):
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, processors
    # 256 bytes first, as the vocabulary of every byte-level BPE; then merges that only use what stands before them.
    pieces = sorted(pre_tokenizers.ByteLevel.alphabet())
    merges, space = [], "Ġ"
    letters = string.ascii_lowercase
    stems = {n: ["".join(p) for p in itertools.product(letters, repeat=n)] for n in (1, 2, 3)}
    pairs = itertools.chain(
        ((w[:-1], w[-1]) for w in stems[2]), ((space, w) for w in stems[1] + stems[2]), ((w[:-1], w[-1]) for w in stems[3]),
        ((space, w) for w in stems[3]), ((w, c) for w in stems[3] for c in letters))
    for left, right in itertools.islice(pairs, size - len(pieces) - 1):
        merges.append((left, right))
        pieces.append(left + right)
    vocabulary = {piece: index for index, piece in enumerate(pieces)}
    assert len(vocabulary) == len(pieces) == size - 1, (len(vocabulary), len(pieces), size)
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=merges))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.post_processor = processors.ByteLevel(trim_offsets=False)
    tokenizer.add_special_tokens([AddedToken("<|endoftext|>", special=True, normalized=False)])
    assert tokenizer.get_vocab_size() == size
    return tokenizer


def build_model(arch):
    from transformers import GPT2Config, GPT2LMHeadModel, LlamaConfig, LlamaForCausalLM
    if arch == "gpt2":
        size = 50257
        ids = dict(bos_token_id=size - 1, eos_token_id=size - 1, pad_token_id=size - 1)
        return size, GPT2LMHeadModel(GPT2Config(vocab_size=size, resid_pdrop=0.0, embd_pdrop=0.0, attn_pdrop=0.0, **ids))
    size = 49152
    ids = dict(bos_token_id=size - 1, eos_token_id=size - 1, pad_token_id=size - 1)
    return size, LlamaForCausalLM(LlamaConfig(
        vocab_size=size, hidden_size=576, intermediate_size=1536, num_hidden_layers=30, num_attention_heads=9,
        num_key_value_heads=3, max_position_embeddings=8192, rms_norm_eps=1e-5, initializer_range=0.041666666666666664,
        rope_parameters=dict(rope_type="default", rope_theta=100000.0), tie_word_embeddings=True, attention_dropout=0.0, **ids))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--model", required=True, metavar="DIR")
    parser.add_argument("--arch", choices=("gpt2", "smollm2"), default="gpt2")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    mark = os.path.join(args.model, "made.json")
    made = dict(arch=args.arch, seed=args.seed, made_by="make_gpt2.py")
    if os.path.exists(mark):
        with open(mark) as f:
            if json.load(f) != made:
                parser.error(f"{args.model} holds another model already: choose another --model, or remove it")
        print(json.dumps(dict(model=args.model, written=False, **made)))
        return
    import torch
    from transformers import PreTrainedTokenizerFast
    torch.manual_seed(args.seed)
    size, model = build_model(args.arch)
    model.float().save_pretrained(args.model, max_shard_size="10GB")
    end = "<|endoftext|>"
    PreTrainedTokenizerFast(tokenizer_object=build_tokenizer(size), bos_token=end, eos_token=end, pad_token=end, unk_token=end,
                            model_max_length=model.config.max_position_embeddings).save_pretrained(args.model)
    # Transformers 5 writes a class name that 4.46 (the PPO peer's) does not know; both know this one.
    path = os.path.join(args.model, "tokenizer_config.json")
    with open(path) as f:
        config = json.load(f)
    with open(path, "w") as f:
        json.dump({**config, "tokenizer_class": "PreTrainedTokenizerFast"}, f, indent=2)
    # Written last: a folder without it is one that was interrupted.
    with open(mark, "w") as f:
        json.dump(made, f)
    print(json.dumps(dict(model=args.model, written=True, parameters=model.num_parameters(), **made)))


main()
