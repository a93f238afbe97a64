"""Tables in the database: snapshots, their history, predictions, imports."""
