"""Controlled correlation shift: pictures and splits whose label and context are tied as strongly as asked, and nothing else is."""
