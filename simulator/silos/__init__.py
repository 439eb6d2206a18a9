"""How each system writes what happened: one module per system, its formats, its keys and its habits.

A module turns the tables of a block into rows of that system's files, and names no trait that a system cannot know.
What happened is made in the modules above; the truth is written by `simulator.truth`.
"""
