"""The latency table: fitted from measurements, kept as snapshots, predicted from."""
