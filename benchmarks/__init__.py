"""What `make bench` measures, and how: one file per question, `record.json` and `docs/benchmarks.md` as the outcome."""
