"""The mesh of clusters: each cluster exports into an etcd of its own, each agent is a client of every remote one."""
