"""The names of the files of a run folder; folder.py says what is in each."""

from __future__ import annotations

CONFIG = "config.json"
CLASSES = "classes.json"
PICTURES = "pictures.json"
INDEX = "index.parquet"
LOG = "log.csv"
THREADS = "threads.json"
MODEL = "model.safetensors"
PREDICTIONS = "predictions-val.parquet"
METRICS = "metrics.json"
PROBE = "probe.npz"
VECTORS = "vectors.npz"
JUDGEMENT = "judgement.json"
SLICES = "slices.json"
TEST_LOOKS = "test-looks.json"
HEATMAPS = "heatmaps.npz"
STATE = "state"  # a folder
MANIFEST = "manifest.json"

RESULTS = (LOG, THREADS, MODEL, PREDICTIONS, METRICS, PROBE)  # which resuming makes again where they are lost
LISTED = (CONFIG, CLASSES, PICTURES, INDEX, *RESULTS)  # by the manifest, beside states
# What a finished run is completed by, and can be made again at any time (derived.py).
DERIVED = (JUDGEMENT, VECTORS, SLICES, HEATMAPS)
