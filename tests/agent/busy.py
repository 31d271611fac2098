"""Machines on which nothing is wrong and much goes on."""

from random import Random

from agent.host.nvml.facts import Card, Gpus
from tests.agent.gpus import card, fields, machine


class Busy:
    """Eight GPUs at work: jobs begin and end, and everything that may change does."""

    def __init__(self, chance: Random) -> None:
        self.jobs = 0
        self._chance = chance
        self._works = [False] * 8
        self._heat = [34.0] * 8
        self._counted = [dict.fromkeys(("3", "38", "94", "269"), 0) for _ in range(8)]

    def minute(self) -> Gpus:
        """Let a minute pass."""
        return machine(*(self._card(index) for index in range(8)))

    def _card(self, index: int) -> Card:
        chance = self._chance
        if chance.random() < 0.15:
            self._works[index] = not self._works[index]
            self.jobs += self._works[index]
        works = self._works[index]
        goal = chance.gauss(72, 3) if works else chance.gauss(36, 2)
        self._heat[index] += (goal - self._heat[index]) * 0.7
        counted = self._counted[index]
        counted["3"] += chance.choice([0, 0, 0, 1, 40]) if works else 0
        counted["38"] += chance.choice([0, 0, 2, 100])
        counted["94"] += chance.choice([0, 0, 0, 1, 3])
        counted["269"] += chance.randrange(10**9)
        heat = round(self._heat[index])
        return card(
            index,
            {
                **fields({**counted, "82": heat + chance.randrange(4, 10)}),
                "nvmlDeviceGetTemperatureV": heat,
                "nvmlDeviceGetMarginTemperature": 87 - heat,
                "nvmlDeviceGetPowerUsage": chance.randrange(60_000, 700_000),
                "nvmlDeviceGetCurrentClocksEventReasons": chance.choice([0, 4]) if works else 1,
                "nvmlDeviceGetPerformanceState": 0 if works else chance.choice([0, 8]),
                "nvmlDeviceGetUtilizationRates": {
                    "gpu": chance.randrange(20, 101) if works else chance.randrange(3),
                    "memory": chance.randrange(101),
                },
                "nvmlDeviceGetCurrPcieLinkGeneration": 5 if works else chance.choice([1, 5]),
                "nvmlDeviceGetMemoryInfo": {"used": chance.randrange(8 * 10**10)},
            },
        )
