"""TRL's SFTTrainer: one step on 4 × (64 prompt + 64 completion), loss on completions only, AdamW, clipping at 1.
Needs: torch transformers trl. Unlike TRL's defaults: f32 instead of bf16, and no gradient checkpointing, which would
cost it a third more time. Nothing is saved."""
from measure import parse_arguments, prepare, report, step_clock

parser = parse_arguments(__doc__, steps=6)
parser.add_argument("--batch", type=int, default=4)
parser.add_argument("--prompt", type=int, default=64)
parser.add_argument("--completion", type=int, default=64)
args = prepare(parser)

import random
import tempfile

import torch
from datasets import Dataset
from transformers import AutoModelForCausalLM, AutoTokenizer
from trl import SFTConfig, SFTTrainer

model = AutoModelForCausalLM.from_pretrained(args.model, dtype=torch.float32)
tokenizer = AutoTokenizer.from_pretrained(args.model)
rng, total = random.Random(0), max(args.warmup, 1) + args.steps
length = args.prompt + args.completion
rows = [dict(input_ids=[rng.randrange(model.config.vocab_size - 1) for _ in range(length)],
             completion_mask=[0] * args.prompt + [1] * args.completion) for _ in range(total * args.batch)]
clock = step_clock(args)
with tempfile.TemporaryDirectory() as out:
    config = SFTConfig(
        output_dir=out, per_device_train_batch_size=args.batch, gradient_accumulation_steps=1, max_steps=total,
        max_length=length, completion_only_loss=True, learning_rate=2e-5, max_grad_norm=1.0, bf16=False,
        gradient_checkpointing=False, use_cpu=True, logging_steps=1, save_strategy="no", report_to="none", disable_tqdm=True, seed=0)
    SFTTrainer(model=model, args=config, train_dataset=Dataset.from_list(rows), processing_class=tokenizer,
               callbacks=[clock]).train()
report(args, "sft", clock.seconds(), args.batch * length,
       dict(batch=args.batch, prompt=args.prompt, completion=args.completion, optimizer=str(config.optim.value),
            max_grad_norm=1.0, attention=model.config._attn_implementation))
