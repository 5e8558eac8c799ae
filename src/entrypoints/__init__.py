"""Thin ways in: translate, call one use case, translate back."""
