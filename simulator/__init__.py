"""A seeded generator of a beauty brand on Tmall, JD, mini-program, app and in shops, with its truth written apart.

Writes files as such systems export them (docs/simulator.md). Reads nothing of the warehouse and is read by nothing of it: what
is landed are the files.
"""

from simulator.brand import SIMULATION_FILE, Summary, fingerprint, write_brand
from simulator.config import VERSION, MessRates, SimulatorConfig

__all__ = ["SIMULATION_FILE", "VERSION", "MessRates", "SimulatorConfig", "Summary", "fingerprint", "write_brand"]
