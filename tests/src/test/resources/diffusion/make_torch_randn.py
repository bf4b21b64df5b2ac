"""Records torch-randn.json with PyTorch: python make_torch_randn.py torch-randn.json

Two calls of torch.randn for each seed and size; of long ones the first and the last 20 numbers.
"""

import json
import sys

import torch

SIZES = [1, 2, 3, 8, 15, 16, 17, 20, 31, 32, 33, 40, 4096, 16384]
runs = []
for seed in [0, 7, 1234567890123, -1]:
    for size in SIZES:
        generator = torch.Generator().manual_seed(seed)
        calls = [torch.randn(size, generator=generator) for _ in range(2)]
        calls = [c if size <= 40 else torch.cat([c[:20], c[-20:]]) for c in calls]
        calls = [[float(str(v)) for v in c.numpy()] for c in calls]
        runs.append(json.dumps(dict(seed=seed, size=size, calls=calls), separators=(",", ":")))
with open(sys.argv[1], "w") as out:
    out.write("[" + ",\n".join(runs) + "]\n")
