"""Transformers: generate() with its key-value cache, 16 prompt + 64 sampled tokens, temperature 1, no top-k, no stop.
tokens_per_second counts the new tokens of all rows, the prefill's time included. Needs: torch transformers."""
from measure import parse_arguments, prepare, report, time_steps

parser = parse_arguments(__doc__, steps=3)
parser.add_argument("--batch", type=int, default=8)
parser.add_argument("--prompt", type=int, default=16)
parser.add_argument("--completion", type=int, default=64)
parser.add_argument("--greedy", action="store_true")
args = prepare(parser)

import torch
from transformers import AutoModelForCausalLM

model = AutoModelForCausalLM.from_pretrained(args.model, dtype=torch.float32).eval()
end = model.config.eos_token_id
model.generation_config.eos_token_id = None  # every row makes all its tokens
ids = torch.randint(0, model.config.vocab_size - 1, (args.batch, args.prompt))
mask = torch.ones_like(ids)
how = dict(do_sample=False) if args.greedy else dict(do_sample=True, temperature=1.0, top_k=0, top_p=1.0)


def step():
    out = model.generate(input_ids=ids, attention_mask=mask, max_new_tokens=args.completion, pad_token_id=end, use_cache=True, **how)
    assert out.shape == (args.batch, args.prompt + args.completion), out.shape


seconds = time_steps(step, args)
report(args, "generate", seconds, args.batch * args.completion,
       dict(batch=args.batch, prompt=args.prompt, completion=args.completion, sampled=not args.greedy,
            model_type=model.config.model_type, attention=model.config._attn_implementation))
