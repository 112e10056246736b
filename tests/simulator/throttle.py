"""Azure's token buckets (API.md section 4), in wall seconds. Always counted and shown; refusing is a switch."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Policy:
    """Names and sizes of one policy group: `(capacity, refill a minute)` for one resource and for the subscription."""

    name: str
    resource: tuple[float, float] | None
    subscription: tuple[float, float]


POLICIES = {
    policy.name: policy
    for policy in (
        Policy("CreateVMScaleSet", (12, 4), (375, 125)),
        Policy("VMScaleSetActions", (12, 4), (1500, 500)),
        Policy("DeleteVMScaleSet", (12, 4), (525, 175)),
        Policy("GetVMScaleSet", (36, 12), (2400, 800)),
        Policy("HighCostGetVMScaleSet", (30, 10), (1080, 360)),
        Policy("ListVMScaleSet", None, (1080, 360)),
        Policy("VMScaleSetVMActions", (12, 4), (1500, 500)),
        Policy("GetVMScaleSetVM", (36, 12), (6000, 2000)),
        Policy("GetOperation", (45, 15), (15000, 5000)),
        Policy("UpdateVM", (12, 4), (1500, 500)),
        Policy("LowCostGet", (36, 12), (24000, 8000)),
        Policy("HighCostGet", None, (900, 300)),
        Policy("ListVMImagesVersionsFromLocation", None, (16000, 5300)),
        Policy("GetVMImageFromLocation", None, (13000, 4300)),
        Policy("GetImages", None, (360, 120)),
        Policy("GetGallery", None, (300, 100)),
    )
}
# Of most actions on instances, which no set has a bucket for.
POLICIES["VMScaleSetActionsOfAll"] = Policy("VMScaleSetActions", None, POLICIES["VMScaleSetActions"].subscription)
POLICIES["DeleteVMScaleSetOfAll"] = Policy("DeleteVMScaleSet", None, POLICIES["DeleteVMScaleSet"].subscription)
OF_ALL = "OfAll"


@dataclass
class Bucket:
    capacity: float
    refill: float
    tokens: float
    seen: float

    def fill(self, now: float) -> None:
        self.tokens = min(self.capacity, self.tokens + (now - self.seen) * self.refill / 60)
        self.seen = now


@dataclass(frozen=True)
class Refusal:
    """A bucket is empty: its name, its size, and the seconds until it has a token again, where Azure says so."""

    group: str
    allowed: int
    measured: int
    retry_after: int | None


class Throttle:
    """`factor`: how many times Azure's size each bucket has."""

    def __init__(self, factor: float = 1.0) -> None:
        self._factor = factor
        self._buckets: dict[tuple[str, str], Bucket] = {}
        self._measured: dict[tuple[str, str], int] = {}

    def _bucket(self, name: str, key: str, size: tuple[float, float], now: float) -> Bucket:
        bucket = self._buckets.get((name, key))
        if bucket is None:
            capacity, refill = (part * self._factor for part in size)
            bucket = self._buckets[(name, key)] = Bucket(capacity, refill, capacity, now)
        bucket.fill(now)
        return bucket

    def charge(self, policy: str, resource: str, now: float, *, enforce: bool) -> tuple[str, Refusal | None]:
        """Takes a token; the text of x-ms-ratelimit-remaining-resource, and the refusal if a bucket was empty."""
        group = POLICIES[policy]
        shown: list[str] = []
        refusal: Refusal | None = None
        sizes = [("SubscriptionMaximum", "", group.subscription)]
        if group.resource is not None:
            sizes.append(("Resource", resource.lower(), group.resource))
        for suffix, key, size in sizes:
            name = group.name + suffix
            bucket = self._bucket(name, key, size, now)
            self._measured[(name, key)] = self._measured.get((name, key), 0) + 1
            if bucket.tokens < 1 and enforce:
                wait = (1 - bucket.tokens) * 60 / bucket.refill
                refusal = Refusal(
                    group.name, int(bucket.capacity), self._measured[(name, key)], max(1, round(wait + 0.5))
                )
            else:
                bucket.tokens = max(0.0, bucket.tokens - 1)
            shown.append(f"Microsoft.Compute/{name};{int(bucket.tokens)}")
        return ",".join(shown), refusal

    def show(self, name: str, size: tuple[float, float], cost: int, now: float) -> str:
        """A bucket that is only shown: requests are charged by the number of VMs they concern."""
        bucket = self._bucket(name, "", size, now)
        bucket.tokens = max(0.0, bucket.tokens - cost)
        return f"Microsoft.Compute/{name};{int(bucket.tokens)}"
