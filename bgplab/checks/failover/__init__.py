"""The checks of flow `failover` (E01-E16): importing `all` registers them."""
