"""TRL 0.12.2's PPOTrainer: one update of 32 completions of 16 + 64 tokens: generation, scoring by a reward model, log-probs of
policy and reference, values of a separate value model, 4 epochs with one optimizer step each. All four models are GPT-2 124M.
Needs: torch trl==0.12.2 transformers==4.46.3 accelerate==1.1.1 datasets==3.1.0 (the last TRL whose PPO is a whole program).
"""
from measure import parse_arguments, prepare, report, step_clock

parser = parse_arguments(__doc__, steps=1)
parser.add_argument("--completions", type=int, default=32)
parser.add_argument("--micro-batch", type=int, default=8, help="rows a forward pass; gradients are accumulated over the rest")
parser.add_argument("--prompt", type=int, default=16)
parser.add_argument("--completion", type=int, default=64)
parser.add_argument("--epochs", type=int, default=4)
args = prepare(parser)
if args.completions % args.micro_batch:
    parser.error(f"--completions {args.completions} must be a multiple of --micro-batch {args.micro_batch}")

import random
import statistics
import tempfile
import time

import torch
import trl.trainer.ppo_trainer as ppo
from datasets import Dataset
from transformers import AutoModelForCausalLM, AutoModelForSequenceClassification, AutoTokenizer

tokenizer = AutoTokenizer.from_pretrained(args.model, padding_side="left")
load = dict(torch_dtype=torch.float32)
policy, reference = (AutoModelForCausalLM.from_pretrained(args.model, **load) for _ in range(2))
reward, value = (AutoModelForSequenceClassification.from_pretrained(args.model, num_labels=1, **load) for _ in range(2))
rng, updates = random.Random(0), max(args.warmup, 1) + args.steps
vocabulary = policy.config.vocab_size
rows = [dict(input_ids=[rng.randrange(vocabulary - 1) for _ in range(args.prompt)]) for _ in range(updates * args.completions)]

generating = []
batch_generation = ppo.batch_generation


def timed_generation(*a, **k):
    start = time.perf_counter()
    result = batch_generation(*a, **k)
    generating.append(time.perf_counter() - start)
    return result


ppo.batch_generation = timed_generation
clock = step_clock(args)
with tempfile.TemporaryDirectory() as out:
    config = ppo.PPOConfig(
        output_dir=out, per_device_train_batch_size=args.micro_batch,
        gradient_accumulation_steps=args.completions // args.micro_batch, num_mini_batches=1, num_ppo_epochs=args.epochs,
        local_rollout_forward_batch_size=args.completions, total_episodes=updates * args.completions,
        response_length=args.completion, temperature=1.0, learning_rate=1e-6, use_cpu=True, bf16=False, fp16=False,
        gradient_checkpointing=False, num_sample_generations=0, logging_steps=1, save_strategy="no", report_to="none",
        disable_tqdm=True, seed=0)
    ppo.PPOTrainer(config, tokenizer, policy, reference, reward, Dataset.from_list(rows), value_model=value,
                   eval_dataset=Dataset.from_list(rows[: args.completions]), callbacks=[clock]).train()
seconds = clock.seconds()
report(args, "ppo", seconds, args.completions * args.completion,
       dict(completions=args.completions, micro_batch=args.micro_batch, prompt=args.prompt, completion=args.completion,
            epochs=args.epochs, num_mini_batches=1, value_model="separate", attention=policy.config._attn_implementation),
       seconds_generating=round(statistics.median(generating[-len(seconds):]), 4))
