"""Devices: enrolment, and what is known of each."""
