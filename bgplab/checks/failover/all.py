"""Importing this registers E01 to E16."""

from __future__ import annotations

from bgplab.checks.failover import agents, announcing, before, link, pod

__all__ = ["agents", "announcing", "before", "link", "pod"]
