"""Scenes whose truth is known, weights made from them, and how good those are.

In go seeds and folders' names; out come pairs of clips, weights folders that the real code loads, and figures.
"""
