"""Events by meter: shards of a run, spilled and gathered, and the snapshot that a later run goes on from."""
