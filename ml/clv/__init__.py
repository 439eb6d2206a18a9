"""What a member will be worth: repeat purchases (BG/NBD, MBG/NBD, Pareto/NBD), value per purchase (Gamma-Gamma), and a boosted challenger.

Frames and arrays in, figures out. Time is in weeks, money in the unit that comes in.
"""
