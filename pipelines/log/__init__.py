"""The log as its clients see it: topics, offsets, messages in and messages out, on Kafka."""
