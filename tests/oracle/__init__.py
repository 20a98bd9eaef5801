"""Two recounts of the cells, written from the definitions alone and sharing nothing with the pipeline but the schemas.

`plain` counts one meter at a time with dictionaries and sorted lists; `recount_sql` counts in DuckDB.
"""
