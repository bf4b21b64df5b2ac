"""Makes the PyTorch files beside it (PyTorch 2.13): python3 make_fixtures.py"""

import collections
import os
import zipfile

import torch

here = os.path.dirname(os.path.abspath(__file__))
base = torch.arange(24, dtype=torch.float32).reshape(4, 6)


def save(obj, name, **kwargs):
    torch.save(obj, os.path.join(here, name), **kwargs)


views = collections.OrderedDict(
    base=base,
    transposed=base.t(),
    window=base[1:3, 2:5],
    expanded=torch.ones(1).expand(3, 4),
    parameter=torch.nn.Parameter(torch.ones(2, 2)),
    scalar=torch.tensor(3.5),
    empty=torch.empty(0, 3),
    bf16=base.bfloat16(),
    f16=base.half(),
    f64=base.double(),
    i8=base.to(torch.int8),
    u8=base.to(torch.uint8),
    bool=base > 3,
    c64=torch.complex(base, base),
    u16=base.to(torch.uint16),
    f8_e4m3=base.to(torch.float8_e4m3fn),
)
save(views, "views.pt")
save(views, "views.legacy.bin", _use_new_zipfile_serialization=False)
save({"w": base}, "protocol4.pt", pickle_protocol=4)

optimizer = torch.optim.Adam([views["parameter"]])
views["parameter"].grad = torch.ones(2, 2)
optimizer.step()
training = {
    "state_dict": torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.BatchNorm1d(4)).state_dict(),
    "optimizer": optimizer.state_dict(),
    "epoch": 7,
    "loss": 0.25,
    "none": None,
    "list": [1, 2, (3, "x")],
    "size": torch.Size([1, 2]),
    "device": torch.device("cuda:0"),
    "dtype": torch.bfloat16,
    "large": 2**70,
    "negative": -5,
    "bytes": b"ab",
    "set": {1},
}
save(training, "training.pt")
save(torch.nn.Linear(3, 4), "module.pt")
save({"c": torch.complex(base, base).conj()}, "conjugated.pt")
torch.jit.script(torch.nn.Linear(3, 4)).save(os.path.join(here, "torchscript.pt"))

# The zip64 form, which torch.save writes for more than 4 GB, by lowered limits.
zipfile.ZIP64_LIMIT = 100
zipfile.ZIP_FILECOUNT_LIMIT = 1
with zipfile.ZipFile(os.path.join(here, "protocol4.pt")) as old:
    with zipfile.ZipFile(os.path.join(here, "zip64.pt"), "w") as new:
        for name in old.namelist():
            new.writestr(name, old.read(name))
