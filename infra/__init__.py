"""Runs the system and knows nothing of its statistics: local Kafka and Flink clusters, PostgreSQL migrations."""
