#!/usr/bin/env python3
"""Reads the tables of tests/golden/parquet with pyarrow, and holds them against the formula of tests/cli/test_parquet.c.

Read with pyarrow 26.0.1.

    build/tests/test_parquet tests/golden/parquet
    python check_parquet.py ../golden/parquet
    python check_parquet.py --vectors FOLDER      # the tables of `align embed --images ... --parquet`, against .npy and .jsonl
"""

import argparse
import glob
import json
import os

import numpy as np
import pyarrow.parquet as parquet

TABLES = {"rows": (7, 3, 3), "narrow": (20, 1, 1), "untold": (2, 20, 0), "empty": (0, 3, 0)}


def expected_rows(rows, width, has_text):
    for i in range(rows):
        yield {
            "key": f"s/{i:05d}",
            "member": f"s/{i:05d}.jpg",
            "text": f"caf\u00e9 {i}" if has_text and i % has_text == 0 else None,
            "width": 100 + i,
            "height": 200 + i,
            "embedding": [float(np.float32(i + 1) / np.float32(1 << k)) for k in range(width)],
        }


def check_tables(folder):
    for name, shape in TABLES.items():
        found = parquet.read_table(os.path.join(folder, name + ".parquet")).to_pylist()
        assert found == list(expected_rows(*shape)), name
        print(f"{name}: {len(found)} rows")


def check_vectors(folder):
    for path in sorted(glob.glob(os.path.join(folder, "*.parquet"))):
        table = parquet.read_table(path)
        lines = [json.loads(line) for line in open(path.replace(".parquet", ".jsonl"), encoding="utf-8")]
        vectors = np.load(path.replace(".parquet", ".npy"))
        for key in ("key", "member", "text", "width", "height"):
            assert table[key].to_pylist() == [line.get(key) for line in lines], (path, key)
        found = np.array(table["embedding"].to_pylist(), np.float32).reshape(len(table), -1)
        assert np.array_equal(found.astype(vectors.dtype), vectors) or vectors.size == 0, path
        print(f"{path}: {len(lines)} rows, {parquet.ParquetFile(path).metadata.num_row_groups} groups")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("folder")
    parser.add_argument("--vectors", action="store_true")
    args = parser.parse_args()
    (check_vectors if args.vectors else check_tables)(args.folder)


if __name__ == "__main__":
    main()
