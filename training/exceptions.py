"""What can go wrong in training.

TrainingError
"""

__all__ = ["TrainingError"]


class TrainingError(Exception):
    """There is too little, or nothing, to learn from; its text says what is missing and what to do."""
