"""What the peer scripts share: arguments, threads, timing and the one JSON line that each prints.

Import this before torch and transformers: it sets the environment that they read when they load.
"""
import argparse
import json
import os
import resource
import statistics
import sys
import time


def parse_arguments(description, steps, model=True):
    """The arguments of every peer script; offline and thread settings take effect here, before torch is imported."""
    parser = argparse.ArgumentParser(description=description)
    if model:
        parser.add_argument("--model", required=True, metavar="DIR", help="Hugging Face folder written by make_gpt2.py")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--steps", type=int, default=steps, help="measured steps; the median is reported")
    parser.add_argument("--warmup", type=int, default=1, help="steps run before, not counted")
    return parser


def prepare(parser):
    args = parser.parse_args()
    if args.steps < 1 or args.warmup < 0 or args.threads < 1:
        parser.error("--steps and --threads must be at least 1, --warmup at least 0")
    threads = str(args.threads)
    os.environ.update(OMP_NUM_THREADS=threads, MKL_NUM_THREADS=threads, HF_HUB_OFFLINE="1", TOKENIZERS_PARALLELISM="false",
                      HF_HUB_DISABLE_TELEMETRY="1", TRL_EXPERIMENTAL_SILENCE="1", CUDA_VISIBLE_DEVICES="")
    # Trainers print their logs; standard output is kept for the result alone.
    args.result = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    import torch
    torch.set_num_threads(args.threads)
    torch.manual_seed(0)
    return args


def time_steps(step, args):
    """Seconds of each measured call of step(), after the warm-up calls."""
    seconds = []
    for index in range(args.warmup + args.steps):
        start = time.perf_counter()
        step()
        if index >= args.warmup:
            seconds.append(time.perf_counter() - start)
    return seconds


def step_clock(args):
    """A trainer callback that notes when each step ends: a step's time is from the end of the one before it, so that data
    loading, the optimizer and logging count. The first step (from the start of training) is always a warm-up."""
    from transformers import TrainerCallback

    class Clock(TrainerCallback):
        def __init__(self):
            self.ends = []

        def on_step_end(self, *_, **__):
            self.ends.append(time.perf_counter())

        def seconds(self):
            spans = [b - a for a, b in zip(self.ends, self.ends[1:])]
            return spans[max(args.warmup, 1) - 1:]

    return Clock()


def report(args, name, seconds, tokens, settings, **more):
    """Prints the result. seconds: a list, one a step; tokens: how many tokens one step handles (or makes)."""
    import torch
    import transformers
    versions = dict(torch=torch.__version__, transformers=transformers.__version__)
    if "trl" in sys.modules:
        versions["trl"] = sys.modules["trl"].__version__
    median = statistics.median(seconds)
    print(json.dumps(dict(
        bench=name, side="peer", seconds_per_step=round(median, 4), tokens_per_second=round(tokens / median, 2),
        peak_rss_mb=round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1),
        steps=len(seconds), all_seconds=[round(s, 4) for s in seconds],
        settings=dict(threads=args.threads, dtype="float32", tokens_per_step=tokens, **settings), versions=versions, **more)),
        file=args.result, flush=True)
