"""What is wrong with the data: findings in plain words, each with the number behind it and what to do.

`sample` reads, `check` composes, and the other modules are pure: from what was read to findings.
"""

from store.checkup.check import Checkup, check
from store.checkup.finding import SEVERITIES, Finding, Severity

__all__ = ["SEVERITIES", "Checkup", "Finding", "Severity", "check"]
