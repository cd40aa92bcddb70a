"""Programs: a step of work captured once as a graph over op records, then run or compiled."""
