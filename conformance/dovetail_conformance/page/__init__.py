"""The certificate as a page for people: one file with everything in it, and a badge. Made from the JSON alone."""

from __future__ import annotations

from dovetail_conformance.page.render import badge as badge
from dovetail_conformance.page.render import render as render
