"""Where events come from: Avro files in folders (and, with the stream, Kafka)."""
