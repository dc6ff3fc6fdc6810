"""What migopy costs, each figure beside its floor: `python -m benchmarks`."""
