"""The events of flow `failover` (E03-E16): what is done to a lab under steady traffic, and how it is undone."""
