"""The meter history: copies and corrections resolved, events put in order and walked.

Nothing here depends on Beam, a clock or a store.
"""
