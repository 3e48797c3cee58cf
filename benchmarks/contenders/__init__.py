"""The same small lab built by four means; each file is a program that prints its time stamps as one JSON line."""
