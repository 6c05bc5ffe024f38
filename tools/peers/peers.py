"""Peers: how long ONNX Runtime takes for the same towers on the same machine, in turn with lookout.

`python peers.py LOOKOUT FOLDER...` runs `LOOKOUT bench --model FOLDER` and ONNX Runtime, in float and in dynamic int8, on the
files that towers.py wrote, on one core, three times in turn, and prints the best of each and the ratios.
"""

import argparse
import json
import os
import subprocess
import time
from pathlib import Path

import numpy as np
import onnxruntime

BATCHES = (1, 8)
ROUNDS = 3


def session(path: Path):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    return onnxruntime.InferenceSession(path, options)


def runtime(folder: Path, seconds: float) -> dict:
    """Best ms a picture of ONNX Runtime, by (precision, batch)."""
    sessions = {"f32": session(folder / "vision_model.onnx"), "int8": session(folder / "vision_model_quantized.onnx")}
    best = {}
    for batch in BATCHES:
        values = np.random.default_rng(0).normal(size=(batch, 3, 224, 224)).astype(np.float32)
        end = time.monotonic() + seconds * len(sessions)
        while time.monotonic() < end:
            for name, run in sessions.items():
                began = time.perf_counter()
                run.run(None, {"pixel_values": values})
                took = 1e3 * (time.perf_counter() - began) / batch
                best[name, batch] = min(took, best.get((name, batch), took))
    return best


def lookout(program: Path, folder: Path, seconds: float):
    """Best ms a region of lookout, by (precision, batch), and the least cosine of int8."""
    command = [program, "bench", "--model", folder, "--threads", "1", "--batch", ",".join(map(str, BATCHES)), "--seconds", str(seconds), "--json"]
    lines = json.loads(subprocess.run(command, capture_output=True, check=True, text=True).stdout)["lines"]
    return {(line["precision"], line["batch"]): line["ms_per_region"] for line in lines}, min(line["least_cosine"] for line in lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("program", type=Path)
    parser.add_argument("folders", type=Path, nargs="+")
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--core", type=int, help="the one to run on")
    args = parser.parse_args()
    if args.core is not None:
        os.sched_setaffinity(0, {args.core})
    print("ms a picture          lookout        ONNX Runtime       int8 to best   f32 to f32   least")
    print("                   f32     int8      f32     int8       (times)        (times)     cosine")
    for folder in args.folders:
        ours, theirs, least = {}, {}, 1.0
        for _ in range(ROUNDS):
            found, cosine = lookout(args.program, folder, args.seconds)
            least = min(least, cosine)
            for mine, new in ((ours, found), (theirs, runtime(folder, args.seconds))):
                for key, took in new.items():
                    mine[key] = min(took, mine.get(key, took))
        for batch in BATCHES:
            a, b = {p: ours[p, batch] for p in ("f32", "int8")}, {p: theirs[p, batch] for p in ("f32", "int8")}
            print(f"{folder.name:16} x{batch} {a['f32']:7.2f} {a['int8']:7.2f}  {b['f32']:7.2f} {b['int8']:7.2f}"
                  f"      {min(b.values()) / a['int8']:6.2f}      {b['f32'] / a['f32']:8.2f}     {least:8.5f}", flush=True)


if __name__ == "__main__":
    main()
