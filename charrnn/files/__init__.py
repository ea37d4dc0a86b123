"""Files that are never half-written: their formats and versions, and who may write them."""
