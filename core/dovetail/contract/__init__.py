"""The seam between dovetail and what runs it: devices, backends, kernels, hooks, discovery."""
