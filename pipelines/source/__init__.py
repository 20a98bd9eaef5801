"""Reads events from Avro files in folders and from the Kafka log."""
