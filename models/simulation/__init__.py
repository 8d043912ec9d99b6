"""A synthetic shop of which everything is known: who bought when, what for, who was lost, and what showed it."""

from models.simulation.business import Business
from models.simulation.shop import BLOCK_CUSTOMERS, ShopBlock, SimulatedShop

__all__ = ["BLOCK_CUSTOMERS", "Business", "ShopBlock", "SimulatedShop"]
