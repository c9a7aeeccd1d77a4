"""TRL's DPOTrainer: one step on 4 pairs of 64 prompt + 64 chosen | 64 rejected, the reference's forward pass included, AdamW, clipping at 1.
Needs: torch transformers trl. f32 and no gradient checkpointing, as in sft.py."""
from measure import parse_arguments, prepare, report, step_clock

parser = parse_arguments(__doc__, steps=6)
parser.add_argument("--batch", type=int, default=4, help="pairs a step")
parser.add_argument("--prompt", type=int, default=64)
parser.add_argument("--completion", type=int, default=64)
args = prepare(parser)

import random
import tempfile

import torch
from datasets import Dataset
from transformers import AutoModelForCausalLM, AutoTokenizer
from trl import DPOConfig, DPOTrainer

model = AutoModelForCausalLM.from_pretrained(args.model, dtype=torch.float32)
tokenizer = AutoTokenizer.from_pretrained(args.model)
if tokenizer.pad_token is None:
    tokenizer.pad_token = tokenizer.eos_token
rng, total = random.Random(0), max(args.warmup, 1) + args.steps


def draw(n):
    return [rng.randrange(model.config.vocab_size - 1) for _ in range(n)]


class Prepared(DPOTrainer):
    """Takes rows of ids as they are: text of random ids does not come back from the tokenizer with the same length."""

    def _prepare_dataset(self, dataset, *_):
        return dataset


rows = [dict(prompt_ids=draw(args.prompt), chosen_ids=draw(args.completion), rejected_ids=draw(args.completion))
        for _ in range(total * args.batch)]
clock = step_clock(args)
with tempfile.TemporaryDirectory() as out:
    config = DPOConfig(
        output_dir=out, per_device_train_batch_size=args.batch, gradient_accumulation_steps=1, max_steps=total,
        max_length=args.prompt + args.completion, learning_rate=1e-6, max_grad_norm=1.0, bf16=False,
        gradient_checkpointing=False, use_cpu=True, logging_steps=1, save_strategy="no", report_to="none", disable_tqdm=True,
        seed=0)
    Prepared(model=model, args=config, train_dataset=Dataset.from_list(rows), processing_class=tokenizer,
             callbacks=[clock]).train()
report(args, "dpo", clock.seconds(), 2 * args.batch * (args.prompt + args.completion),
       dict(pairs=args.batch, prompt=args.prompt, completion=args.completion, optimizer=str(config.optim.value),
            max_grad_norm=1.0, attention=model.config._attn_implementation))
