"""Clients of the Kafka log: connections, topics, offsets, reading and sending messages."""
