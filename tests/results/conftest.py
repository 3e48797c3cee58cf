import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))  # example_run, shared with tests/dashboards
