"""Stages: each reads artifacts, maps pure functions over them, and writes artifacts."""
