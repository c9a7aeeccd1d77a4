"""Transformers: one forward and backward pass, loss over all tokens, every gradient. Needs: torch transformers."""
from measure import parse_arguments, prepare, report, time_steps

parser = parse_arguments(__doc__, steps=10)
parser.add_argument("--batch", type=int, default=4)
parser.add_argument("--length", type=int, default=128)
args = prepare(parser)

import torch
from transformers import AutoModelForCausalLM

model = AutoModelForCausalLM.from_pretrained(args.model, dtype=torch.float32).train()
ids = torch.randint(0, model.config.vocab_size - 1, (args.batch, args.length))


def step():
    model.zero_grad(set_to_none=True)
    model(input_ids=ids, labels=ids, use_cache=False).loss.backward()


seconds = time_steps(step, args)
assert all(p.grad is not None for p in model.parameters())
report(args, "forward_backward", seconds, ids.numel(),
       dict(batch=args.batch, length=args.length, attention=model.config._attn_implementation))
