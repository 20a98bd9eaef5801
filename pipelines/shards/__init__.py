"""Events by meter: shards of a run, spilled and gathered, and the snapshot from which a stream goes on."""
