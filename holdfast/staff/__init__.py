"""What staff see and do for everybody: live alarms, messages that failed, the wording. Every look is on record."""
